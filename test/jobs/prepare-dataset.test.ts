import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { writeWav } from '../../lib/audio/wav.js';
import { readItems } from '../../lib/data/items.js';
import { editRecording } from '../../lib/jobs/edit.js';
import { prepareDataset } from '../../lib/jobs/prepare-dataset.js';
import { holdingLock } from '../../lib/run/lock.js';
import { device } from '../support/device.js';
import { temporaryFolder } from '../support/temporary-folder.js';

const CODEC = fileURLToPath(new URL('../../models/default/codec', import.meta.url));
const ENCODEC = fileURLToPath(new URL('../fixtures/encodec/reflect', import.meta.url));
const SAMPLE_RATE_HZ = 16_000;

const tone = (seconds: number) =>
  Float32Array.from({ length: seconds * SAMPLE_RATE_HZ }, (_, i) => Math.sin(i / 20) / 2);

async function prepare(lines: string, wavs: Record<string, number> = { 'a.wav': 0.4, 'b.wav': 0.2 }) {
  const folder = temporaryFolder();
  for (const [name, seconds] of Object.entries(wavs)) {
    await writeWav(join(folder, name), tone(seconds), SAMPLE_RATE_HZ);
  }
  const [instructions, output] = ['lines.txt', 'data.jsonl'].map((name) => join(folder, name));
  writeFileSync(instructions, lines);
  const progress: number[][] = [];
  const count = await prepareDataset({
    ...{ wav: folder, instructions, output, model: 'unused', codec: CODEC },
    onProgress: (...counts) => void progress.push(counts),
  });
  return { count, output, progress };
}

describe('prepareDataset', () => {
  it('writes items that a run reads', async () => {
    const { count, output, progress } = await prepare(
      'a.wav\tMake it shorter.\tb.wav\r\n\nb.wav\tLouder\na.wav\tFaster\t\tYou there!\na.wav\tSlower\tb.wav\tMe?',
    );
    expect(count).toBe(4);
    expect(progress).toEqual([0, 1, 2, 3].map((done) => [done, 4]));
    const items = [];
    for await (const item of readItems(output, { codebooks: 8, codebookSize: 256 })) items.push(item);
    expect(items.map(({ instruction }) => instruction)).toEqual([
      'Make it shorter.',
      'Louder',
      'Faster',
      'Slower',
    ]);
    expect(items.map(({ src_encodec }) => src_encodec[0].length)).toEqual([20, 10, 20, 20]);
    expect(items[0].tgt_encodec).toEqual(items[1].src_encodec);
    expect(items[1].tgt_encodec).toEqual(items[1].src_encodec);
    expect(items[2].tgt_encodec).toEqual(items[2].src_encodec);
    expect(items.map(({ text }) => text)).toEqual([undefined, undefined, 'You there!', 'Me?']);
  });

  it('writes the codebooks that are asked for', async () => {
    const folder = temporaryFolder();
    await writeWav(join(folder, 'a.wav'), tone(0.2), SAMPLE_RATE_HZ);
    const [instructions, output] = ['lines.txt', 'data.jsonl'].map((name) => join(folder, name));
    writeFileSync(instructions, 'a.wav\tLouder');
    const options = { wav: folder, instructions, output, model: 'unused', codec: ENCODEC, overwrite: true };
    const countOf = async (codebooks?: number) => {
      await prepareDataset({ ...options, codebooks });
      const { src_encodec, tgt_encodec } = JSON.parse(readFileSync(output, 'utf8')) as Record<string, []>;
      expect(tgt_encodec).toEqual(src_encodec);
      return src_encodec.length;
    };
    expect([await countOf(), await countOf(1), await countOf(2)]).toEqual([2, 1, 2]);
    await expect(countOf(3)).rejects.toThrow(
      /^3 codebooks were asked for, and the codec in .*encodec\S* has 2$/,
    );
    await expect(prepareDataset({ ...options, codec: 'models/default/codec', codebooks: 4 })).rejects.toThrow(
      /^4 codebooks were asked for, and the codec in .*codec has 8; only an EnCodec is used with fewer than it has$/,
    );
    for (const wrong of [0, 1.5, NaN])
      await expect(countOf(wrong)).rejects.toThrow(
        `${wrong} codebooks were asked for: a whole number from 1 on is expected`,
      );
  });

  it('ends where it is interrupted, also in its last recording, and leaves nothing', async () => {
    const folder = temporaryFolder();
    await writeWav(join(folder, 'a.wav'), tone(60), SAMPLE_RATE_HZ);
    const [instructions, output] = ['lines.txt', 'data.jsonl'].map((name) => join(folder, name));
    writeFileSync(instructions, 'a.wav\tMake it shorter.');
    const controller = new AbortController();
    const preparing = prepareDataset({
      ...{ wav: folder, instructions, output, model: 'unused', codec: CODEC, signal: controller.signal },
      // As a Ctrl-C that comes while the recording is analysed, in one go.
      onProgress: () => setImmediate(() => controller.abort()),
    });
    await expect(preparing).rejects.toThrow('aborted');
    expect(readdirSync(folder).sort()).toEqual(['a.wav', 'lines.txt']);
  });

  it.each([
    ['a.wav', 'line 1 must be a recording, an instruction and perhaps the edited recording'],
    ['a.wav\tx\n\tLouder', 'line 2 must be a recording'],
    ['a.wav\tx\ta.wav\ty\tz', 'line 1 must be a recording'],
    ['a.wav\tx\ta.wav\t', 'line 1 must be a recording'],
    ['\n', 'lines.txt has no lines.'],
    ['a.wav\tx\n\nb.wav\tLouder\tc.wav', /lines\.txt: line 3: .*c\.wav does not exist\.$/],
  ])('%j is refused', async (lines, message) => {
    await expect(prepare(lines)).rejects.toThrow(message);
  });

  it("says of items without an edited recording, and that the model's policy cannot read, in lines of the file", async () => {
    const folder = temporaryFolder();
    await writeWav(join(folder, 'short.wav'), tone(0.4), SAMPLE_RATE_HZ);
    await writeWav(join(folder, 'long.wav'), tone(30), SAMPLE_RATE_HZ);
    const [instructions, output] = ['lines.txt', 'data.jsonl'].map((name) => join(folder, name));
    writeFileSync(instructions, 'short.wav\tLeave it.\tshort.wav\n\nlong.wav\tMake it louder.\n');
    const notices: string[] = [];
    const onNotice = (notice: string) => notices.push(notice);
    expect(await prepareDataset({ wav: folder, instructions, output, model: 'default', onNotice })).toBe(2);
    expect(notices).toEqual([
      expect.stringMatching(
        /lines\.txt: the model cannot read 1 of 2 items, and runs leave them out; the first is line 3: the prompt "Make it louder\." has \d+ ids \(\d+ of text, 1500 codes\), more than the model's 256 positions: use a recording of at most \d+ frames$/,
      ),
      `${instructions}: 1 of 2 items name no edited recording, the first in line 3: their target is the recording itself, which --pairing target would teach the policy to write, and by which a guard measures the fidelity of edits`,
    ]);
  });

  it('writes over no file that came while it worked', async () => {
    const folder = temporaryFolder();
    const [wav, instructions, output] = ['a.wav', 'lines.txt', 'out'].map((name) => join(folder, name));
    await writeWav(wav, tone(0.4), SAMPLE_RATE_HZ);
    writeFileSync(instructions, 'a.wav\tLouder');
    const given = {
      output,
      model: 'default',
      get device() {
        writeFileSync(output, 'of another process');
        return device;
      },
    };
    const sampling = { instruction: 'Louder', seed: 1, temperature: 1, maxNewTokens: 20 };
    for (const work of [
      () => prepareDataset(Object.assign(given, { wav: folder, instructions })),
      () => editRecording(Object.assign(given, { wav, ...sampling })),
    ]) {
      rmSync(output, { force: true });
      await expect(work()).rejects.toThrow(`${output} is there already: name another file with --output`);
      expect(readFileSync(output, 'utf8')).toBe('of another process');
    }
  });

  it('is told at the start where another process makes the same dataset', async () => {
    const folder = temporaryFolder();
    const [instructions, output] = ['lines.txt', 'data.jsonl'].map((name) => join(folder, name));
    writeFileSync(instructions, 'missing.wav\tLouder');
    await holdingLock(
      folder,
      async () => {
        const preparing = prepareDataset({
          wav: folder,
          instructions,
          output,
          model: 'unused',
          codec: CODEC,
        });
        await expect(preparing).rejects.toThrow('is writing there');
      },
      'data.jsonl',
    );
  });

  it('names the recording whose rate cannot be changed, and the command that does', async () => {
    const folder = temporaryFolder();
    const [wav, instructions] = ['odd.wav', 'lines.txt'].map((name) => join(folder, name));
    await writeWav(wav, tone(0.4), 50_001);
    writeFileSync(instructions, 'odd.wav\tLouder');
    const output = join(folder, 'data.jsonl');
    await expect(
      prepareDataset({ wav: folder, instructions, output, model: 'unused', codec: CODEC }),
    ).rejects.toThrow(
      `${wav}: its sample rate of 50001 Hz cannot be changed to the codec's 16000 Hz; convert it with: ffmpeg -i "${wav}" -ar 16000 -c:a pcm_s16le out.wav`,
    );
  });

  it('says when a recording is empty', async () => {
    await expect(prepare('a.wav\tLouder', { 'a.wav': 0 })).rejects.toThrow('a.wav');
  });
});
