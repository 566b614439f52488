import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { encodeWav } from '../../lib/audio/wav.js';
import { openMetric, type MetricName } from '../../lib/scoring/metrics.js';
import { scoreFiles, type FileScores } from '../../lib/scoring/score-files.js';
import type { NisqaScores } from '../../lib/scoring/nisqa/nisqa.js';
import { measureRecordings } from '../../lib/scoring/measure.js';
import { extendedStoi, stoi } from '../../lib/scoring/stoi.js';
import { UnscorableSample } from '../../lib/scoring/unscorable.js';
import { sharedPath } from '../support/shared.js';
import { temporaryFolder } from '../support/temporary-folder.js';

afterEach(() => {
  vi.unstubAllEnvs();
});

const speechLike = Float32Array.from({ length: 16000 }, (_, i) => {
  const burst = Math.sin((2 * Math.PI * i) / 4000) ** 2;
  return 0.2 * burst * (Math.sin(i * 0.07) + Math.sin(i * 0.31 + Math.sin(i / 500)) + Math.sin(i * 0.9));
});

/** Makes WAV files in a new folder. */
function wavFiles(recordings: Record<string, [Float32Array, number]>): (name: string) => string {
  const folder = temporaryFolder();
  for (const [name, [samples, rate]] of Object.entries(recordings))
    writeFileSync(join(folder, name), encodeWav(samples, rate));
  return (name) => join(folder, name);
}

async function collect(files: string[], metrics: MetricName[], reference?: string) {
  const results = new Map<string, FileScores>();
  for await (const [file, scores] of scoreFiles(files, { metrics, reference })) results.set(file, scores);
  return results;
}

describe('scoreFiles', () => {
  it('scores every file that can be scored, in order, and tells why others cannot', async () => {
    const at = wavFiles({
      'same.wav': [speechLike, 16000],
      'empty.wav': [new Float32Array(0), 16000],
      'slow.wav': [speechLike, 8000],
      'short.wav': [speechLike.subarray(1), 16000],
    });
    writeFileSync(at('text.wav'), 'this is text');
    const files = ['nowhere.wav', 'text.wav', 'empty.wav', 'same.wav', 'slow.wav', 'short.wav'].map(at);
    const results = await collect(files, ['silence', 'stoi', 'estoi'], at('same.wav'));
    expect([...results.keys()]).toEqual(files);
    const [nowhere, text, empty, same, slow, short] = results.values();
    expect(nowhere).toEqual({ error: `${at('nowhere.wav')} does not exist.` });
    expect(text).toEqual({ error: expect.stringContaining(`${at('text.wav')}: not a WAV file`) });
    expect(empty).toEqual({
      error: expect.stringContaining(`${at('empty.wav')}: silence: it holds no samples; stoi: `),
    });
    expect(same).toEqual({
      silence: expect.objectContaining({ clippedShare: 0 }),
      stoi: expect.closeTo(1, 6),
      estoi: expect.closeTo(1, 6),
    });
    expect(slow).toEqual({
      silence: expect.anything(),
      error: expect.stringContaining("stoi: its sample rate is 8000 Hz, the reference's 16000 Hz; estoi: "),
    });
    expect(short.error).toContain('the reference has 16000 samples, the other 15999');
  });

  it('compares with the reference, in which silence does not count', async () => {
    const noisy = speechLike.map((value, i) => value + 0.1 * Math.sin(i * i * 0.37));
    const paused = speechLike.map((value, i) => (i % 8000 < 3000 ? 0 : value));
    expect(Math.abs(extendedStoi(paused, noisy, 16000) - extendedStoi(noisy, paused, 16000))).toBeGreaterThan(
      0.05,
    );
    const at = wavFiles({ 'noisy.wav': [noisy, 16000], 'paused.wav': [paused, 16000] });
    const scores = (await collect([at('noisy.wav')], ['stoi', 'estoi'], at('paused.wav'))).get(
      at('noisy.wav'),
    );
    expect(scores).toEqual({
      stoi: expect.closeTo(stoi(paused, noisy, 16000), 2),
      estoi: expect.closeTo(extendedStoi(paused, noisy, 16000), 2),
    });
  });

  it('cuts recordings and reference to the shorter one where they are compared sample by sample', async () => {
    const recordings = [12_000, 16_000].map((length) => ({
      samples: speechLike.slice(0, length),
      sampleRateHz: 16000,
    }));
    const [shorter, longer] = recordings;
    for (const reference of [shorter, longer]) {
      for await (const { scores } of measureRecordings(recordings, { reference }, ['stoi', 'estoi']))
        expect(scores).toEqual([expect.closeTo(1, 9), expect.closeTo(1, 9)]);
    }
  });

  it('needs a reference for metrics that compare, and one that can be read', async () => {
    const at = wavFiles({ 'a.wav': [speechLike, 16000] });
    await expect(collect([at('a.wav')], ['stoi', 'silence', 'pesq'])).rejects.toThrow(
      'stoi and pesq compare with a reference: give one with --reference FILE',
    );
    await expect(collect([at('a.wav')], ['stoi'], at('b.wav'))).rejects.toThrow(
      `${at('b.wav')} does not exist.`,
    );
  });

  it('tells at once what it lacks', async () => {
    const at = wavFiles({ 'a.wav': [speechLike, 16000] });
    vi.stubEnv('SPEECH_DPO_PYTHON', '/nowhere/python');
    await expect(collect([at('a.wav')], ['pesq'], at('a.wav'))).rejects.toThrow('pip install pesq');
    vi.stubEnv('NISQA_WEIGHTS', '/nowhere/nisqa.tar');
    await expect(collect([at('a.wav')], ['nisqa'])).rejects.toThrow('NISQA_WEIGHTS is /nowhere/nisqa.tar');
    await expect(collect([at('a.wav')], ['mos' as MetricName])).rejects.toThrow(
      'There is no metric "mos"; known are nisqa, dnsmos, silence, transcript, stoi, estoi, pesq, wer',
    );
  });

  it('gives a recording that brings PESQ down no power over the others', async () => {
    const at = wavFiles({
      'good.wav': [speechLike, 16000],
      'bad.wav': [speechLike.subarray(0, 5000), 16000],
    });
    const python = at('python');
    // Stands in for Python: scores every recording 3, and dies of one of 5000 samples.
    writeFileSync(
      python,
      `#!${process.execPath}
      const { lengths } = JSON.parse(process.argv.at(-1));
      if (lengths.includes(5000)) process.kill(process.pid, 'SIGSEGV');
      console.log(JSON.stringify(lengths.slice(1).map(() => ({ wb: 3 }))));`,
      { mode: 0o755 },
    );
    vi.stubEnv('SPEECH_DPO_PYTHON', python);
    const results = await collect([at('bad.wav'), at('good.wav')], ['pesq'], at('good.wav'));
    expect([...results.values()]).toEqual([
      { error: `${at('bad.wav')}: pesq: PESQ fails: ${python} ended with SIGSEGV` },
      { pesq: { wb: 3 } },
    ]);
  });
});

it('ends between two recordings when it is aborted', async () => {
  const stop = new AbortController();
  let heard = 0;
  const transcribe = async () => {
    heard += 1;
    stop.abort(new Error('stopped by hand'));
    return 'what was said';
  };
  const { score } = await openMetric(
    'transcript',
    {},
    { sharedTranscriber: { open: async () => transcribe, dispose: async () => {} } },
  );
  const recording = { samples: speechLike, sampleRateHz: 16000 };
  await expect(score([recording, recording], stop.signal)).rejects.toThrow('stopped by hand');
  expect(heard).toBe(1);
});

describe("what is no file's own fault", () => {
  /** Stands in for Python: answers as `program` says. */
  function pretendPython(program: string): void {
    const python = join(temporaryFolder(), 'python');
    writeFileSync(
      python,
      `#!${process.execPath}\nconst { lengths } = JSON.parse(process.argv.at(-1));\n${program}`,
      { mode: 0o755 },
    );
    vi.stubEnv('SPEECH_DPO_PYTHON', python);
  }
  function score() {
    const at = wavFiles({
      'good.wav': [speechLike, 16000],
      'bad.wav': [speechLike.subarray(0, 5000), 16000],
    });
    return collect([at('bad.wav'), at('good.wav')], ['pesq'], at('good.wav'));
  }
  const answers =
    'console.log(JSON.stringify(lengths.slice(1).map((length) => length === 5000 ? ANSWER : { wb: 3 })))';

  it('stops: Python was killed', async () => {
    pretendPython(`if (lengths.includes(5000)) process.kill(process.pid, 'SIGKILL'); ${answers}`);
    await expect(score()).rejects.toThrow(
      /^pesq cannot score one of the 2 files from .*bad.wav on: PESQ fails: .* ended with SIGKILL$/,
    );
  });

  it('stops: Python has no memory left', async () => {
    pretendPython(answers.replace('ANSWER', '{ error: "MemoryError: Unable to allocate 5 GiB" }'));
    await expect(score()).rejects.toThrow('PESQ fails: MemoryError: Unable to allocate 5 GiB');
  });

  it('does not stop where PESQ refuses a recording', async () => {
    pretendPython(answers.replace('ANSWER', '{ error: "NoUtterancesError: No utterances detected" }'));
    expect([...(await score()).values()]).toEqual([
      { error: expect.stringMatching(/bad\.wav: pesq: PESQ finds no speech in the reference$/) },
      { pesq: { wb: 3 } },
    ]);
  });

  it('stops: a programming error', async () => {
    const { score } = await openMetric('silence');
    const recording = { samples: undefined as unknown as Float32Array, sampleRateHz: 16000 };
    await expect(score([recording])).rejects.toThrow(TypeError);
  });
});

it("takes a sample rate that cannot be changed for the file's own fault", () => {
  expect(() => stoi(speechLike, speechLike, 99_991)).toThrow(
    new UnscorableSample('its sample rate of 99991 Hz cannot be changed to 10000 Hz'),
  );
});

it('makes no hours of a second where a header names a sample rate that no recording has', () => {
  expect(() => stoi(speechLike, speechLike, 1)).toThrow(
    new UnscorableSample('its sample rate is 1 Hz, and speech is scored from 1000 Hz on'),
  );
});

const goldenPath = sharedPath('golden/nisqa.json');
const weights = sharedPath('nisqa/nisqa.tar');
describe.skipIf(!goldenPath || !weights)("compared with NISQA's authors' code", () => {
  it('agrees on every file, and fails where it fails', async () => {
    vi.stubEnv('NISQA_WEIGHTS', weights);
    const { files } = JSON.parse(readFileSync(goldenPath!, 'utf8')) as {
      files: Record<string, { scores?: NisqaScores }>;
    };
    const paths = Object.keys(files).map((file) => sharedPath(`golden/audio/${file}`)!);
    const results = await collect(paths, ['nisqa']);
    expect(results.size).toBe(Object.keys(files).length);
    for (const [i, [file, { scores }]] of Object.entries(files).entries()) {
      const { nisqa, error } = results.get(paths[i])!;
      if (!scores) {
        expect(error).toMatch(/: nisqa: it (is too short for NISQA|holds no samples)/);
        expect(error!.startsWith(`${paths[i]}: `)).toBe(true);
        continue;
      }
      expect(Object.keys(nisqa!), file).toEqual(['mos', 'noi', 'dis', 'col', 'loud']);
      for (const [name, value] of Object.entries(scores))
        expect(Math.abs((nisqa as Record<string, number>)[name] - value), `${file} ${name}`).toBeLessThan(
          1e-4,
        );
    }
  });

  it('gives no score where samples are so large that the network computes NaN', async () => {
    vi.stubEnv('NISQA_WEIGHTS', weights);
    const { score, dispose } = await openMetric('nisqa');
    const sounds = [speechLike, speechLike.map((value) => value * 1e30)];
    const results = await score(sounds.map((samples) => ({ samples, sampleRateHz: 16000 })));
    await dispose?.();
    expect(results).toEqual([
      expect.objectContaining({ mos: expect.any(Number) }),
      new UnscorableSample('it gives NaN: scale the recording so that its samples lie within -1 to 1'),
    ]);
  });
});
