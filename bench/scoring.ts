/** speech-dpo's side of scoring: files on disk to all scores of NISQA or DNSMOS, after loading. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeWav, readWav, toMono, type MonoRecording } from '../lib/audio/wav.js';
import { uniformStream } from '../lib/random.js';
import { loadDnsmos, type Dnsmos } from '../lib/scoring/dnsmos/dnsmos.js';
import { loadNisqa, type Nisqa } from '../lib/scoring/nisqa/nisqa.js';

const SAMPLE_RATE_HZ = 16_000;

/** A new folder with WAV files of noise that comes and goes like syllables, the same in every process; it goes with the process. */
export function writeRecordings(count: number, seconds: number): string {
  const scratch = mkdtempSync(join(tmpdir(), 'speech-dpo-bench-'));
  process.once('exit', () => rmSync(scratch, { recursive: true }));
  const folder = join(scratch, 'wav');
  mkdirSync(folder);
  for (let file = 0; file < count; file++) {
    const uniform = uniformStream(file);
    const samples = Float32Array.from({ length: seconds * SAMPLE_RATE_HZ }, (_, i) => {
      const loudness = 0.3 * Math.sin((2 * Math.PI * 2 * i) / SAMPLE_RATE_HZ) ** 2;
      return loudness * (2 * uniform() - 1);
    });
    writeFileSync(join(folder, `${file}.wav`), encodeWav(samples, SAMPLE_RATE_HZ));
  }
  return folder;
}

/** Reads and scores all files of a folder at once; NISQA is loaded in the first call. */
export function nisqaOfFolder(weightsPath: string, folder: string, count: number): () => Promise<void> {
  let loading: Promise<Nisqa> | undefined;
  return async () => {
    const nisqa = await (loading ??= loadNisqa(weightsPath));
    const failed = (await nisqa.scoreBatch(await readAll(folder, count))).find(
      (result) => result instanceof Error,
    );
    if (failed) throw failed;
  };
}

/** Reads all files of a folder and scores one after the other; DNSMOS is loaded in the first call. */
export function dnsmosOfFolder(folder: string, count: number): () => Promise<void> {
  let loading: Promise<Dnsmos> | undefined;
  return async () => {
    const { score } = await (loading ??= loadDnsmos());
    for (const { samples, sampleRateHz } of await readAll(folder, count)) await score(samples, sampleRateHz);
  };
}

function readAll(folder: string, count: number): Promise<MonoRecording[]> {
  return Promise.all(
    Array.from({ length: count }, async (_, file) => {
      const recording = await readWav(join(folder, `${file}.wav`));
      return { samples: toMono(recording), sampleRateHz: recording.sampleRateHz };
    }),
  );
}
