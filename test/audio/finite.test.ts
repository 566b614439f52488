import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { requireFinite } from '../../lib/audio/finite.js';
import { allFinite } from '../../lib/finite.js';
import { encodeWav } from '../../lib/audio/wav.js';
import { openEncodec } from '../../lib/codec/encodec/codec.js';
import { openSpectralCodec } from '../../lib/codec/spectral/codec.js';
import { editRecording } from '../../lib/jobs/edit.js';
import { prepareDataset } from '../../lib/jobs/prepare-dataset.js';
import { editFidelity } from '../../lib/scoring/fidelity.js';
import { measureRecordings } from '../../lib/scoring/measure.js';
import { measurePesq } from '../../lib/scoring/pesq.js';
import { scoreFiles } from '../../lib/scoring/score-files.js';
import { measureLevel } from '../../lib/scoring/silence.js';
import { extendedStoi, stoi } from '../../lib/scoring/stoi.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { wavFile } from '../support/wav-file.js';
import { device } from '../support/device.js';

const REASON = 'it holds a sample that is not a finite number';
const RATE_HZ = 16_000;
const SPECTRAL = fileURLToPath(new URL('../../models/default/codec', import.meta.url));
const ENCODEC = fileURLToPath(new URL('../fixtures/encodec/reflect', import.meta.url));

const good = Float32Array.from({ length: RATE_HZ }, (_, i) => Math.sin(i / 9 + Math.sin(i / 999)) / 2);
const withSample = (value: number) => Float32Array.from(good, (sample, i) => (i === 777 ? value : sample));

it('tells finite from other numbers', () => {
  expect([allFinite(good), allFinite(new Float32Array(0)), allFinite(withSample(3e38))]).toEqual([
    true,
    true,
    true,
  ]);
  expect(() => requireFinite(good)).not.toThrow();
});

describe.each([NaN, Infinity, -Infinity])('a waveform with a sample of %d', (value) => {
  const bad = withSample(value);

  it('is refused by functions that take one', async () => {
    expect(() => requireFinite(bad)).toThrow(REASON);
    expect(() => measureLevel(bad, RATE_HZ)).toThrow(REASON);
    for (const score of [stoi, extendedStoi]) {
      expect(() => score(good, bad, RATE_HZ)).toThrow(REASON);
      expect(() => score(bad, good, RATE_HZ)).toThrow(`the reference cannot be used: ${REASON}`);
    }
    for (let at = 0; at < 3; at++) {
      const [source, target, made] = [0, 1, 2].map((i) => (i === at ? bad : good));
      expect(() => editFidelity(source, target, made, RATE_HZ)).toThrow(REASON);
    }
    await expect(measurePesq(bad, [good], RATE_HZ)).rejects.toThrow(
      `the reference cannot be used: ${REASON}`,
    );
  });

  it('has no codes', async () => {
    for (const open of [
      () => openSpectralCodec(SPECTRAL, device),
      () => openEncodec(ENCODEC, device, { bandwidthKbps: 0.8 }),
    ]) {
      const codec = await open();
      await expect(codec.encode(bad)).rejects.toThrow(REASON);
      await codec.dispose();
    }
  });

  it('is no reference in a notebook', async () => {
    const reference = { samples: bad, sampleRateHz: RATE_HZ };
    const recording = { samples: good, sampleRateHz: RATE_HZ };
    for await (const { scores } of measureRecordings([recording], { reference }, ['stoi', 'estoi'])) {
      const said = scores instanceof Error ? scores : (scores[0] as Error);
      expect(said.message).toContain(`the reference cannot be used: ${REASON}`);
    }
  });
});

describe('a WAV file with such a sample', () => {
  function writeBoth() {
    const folder = temporaryFolder();
    const [bad, fine] = ['bad.wav', 'fine.wav'].map((name) => join(folder, name));
    writeFileSync(bad, wavFile(new Uint8Array(withSample(NaN).buffer), { tag: 3, bits: 32 }));
    writeFileSync(fine, encodeWav(good, 8000));
    return { folder, bad, fine };
  }

  it('is not prepared', async () => {
    const { folder, bad } = writeBoth();
    const instructions = join(folder, 'lines.txt');
    const output = join(folder, 'data.jsonl');
    writeFileSync(instructions, 'bad.wav\tMake it louder.\n');
    await expect(
      prepareDataset({ wav: folder, instructions, output, model: 'unused', codec: SPECTRAL }),
    ).rejects.toThrow(`${bad}: ${REASON}`);
  });

  it('is not edited', async () => {
    const { folder, bad } = writeBoth();
    const options = { model: 'default', instruction: 'Louder.', output: join(folder, 'out.wav') };
    await expect(
      editRecording({ ...options, wav: bad, seed: 1, temperature: 1, maxNewTokens: 10 }),
    ).rejects.toThrow(`${bad}: ${REASON}`);
  });

  it('is not scored, and not a reference', async () => {
    const { bad, fine } = writeBoth();
    for await (const [file, scores] of scoreFiles([bad], { metrics: ['stoi', 'estoi'], reference: fine }))
      expect([file, scores]).toEqual([bad, { error: `${bad}: ${REASON}` }]);
    await expect(scoreFiles([fine], { metrics: ['stoi'], reference: bad }).next()).rejects.toThrow(
      `${bad}: ${REASON}`,
    );
  });
});
