/**
 * Trains the codec's feature scale and codebooks: k-means, stage by stage, on frames of original and edited speech.
 *
 *     node dist/recipes/default/codebooks.js      (after speech.js; writes .cache/default/codebooks.safetensors)
 */
import { applyEffect, EFFECTS } from '../../lib/audio/effects.js';
import type { HostTensor } from '../../lib/engine/host-tensor.js';
import { writeSafetensors } from '../../lib/checkpoint/safetensors.js';
import {
  analyse,
  FEATURES,
  MEL_BANDS,
  SAMPLE_RATE_HZ,
  scaleFeatures,
} from '../../lib/codec/spectral/features.js';
import type { Analysis, FeatureScale } from '../../lib/codec/spectral/features.js';
import { nearestEntries } from '../../lib/codec/quantizer.js';
import { CpuDevice, compile } from '../../lib/engine/index.js';
import { uniformStream, type Uniform } from '../../lib/random.js';
import { CODEBOOKS_FILE } from './codebooks-file.js';
import { loadRecording, splitOf } from './recordings.js';
import { createProgram } from '../program.js';
import { listSpoken } from './utterances.js';

const device = new CpuDevice();

const CODEBOOKS = 8;
const CODEBOOK_SIZE = 256;
const ITERATIONS = 14;
const RECORDINGS = 1600;
const FRAMES = 70_000;
/** Rows of one compiled nearest-entry search. */
const CHUNK = 2048;
const SEED = 1;

/** Every second recording as spoken, the others with an effect, the effects in turn. */
async function analyseRecordings(): Promise<Analysis[]> {
  const training = listSpoken(RECORDINGS, 1).filter((utterance) => splitOf(utterance) === 'train');
  const analyses: Analysis[] = [];
  for (const [i, utterance] of training.entries()) {
    const samples = await loadRecording(utterance);
    const effect = EFFECTS[(i >> 1) % EFFECTS.length];
    analyses.push(analyse(i % 2 === 0 ? samples : applyEffect(effect, samples, SAMPLE_RATE_HZ)));
  }
  return analyses;
}

function measureScale(analyses: readonly Analysis[]): FeatureScale {
  const melMean = new Float64Array(MEL_BANDS);
  const frames = analyses.reduce((sum, analysis) => sum + analysis.frames, 0);
  for (const { logMel } of analyses) logMel.forEach((value, i) => (melMean[i % MEL_BANDS] += value / frames));
  let variance = 0;
  let [logF0, voicedFrames] = [0, 0];
  for (const analysis of analyses) {
    analysis.logMel.forEach(
      (value, i) => (variance += (value - melMean[i % MEL_BANDS]) ** 2 / (frames * MEL_BANDS)),
    );
    analysis.voiced.forEach((voiced, t) => {
      logF0 += voiced * analysis.logF0[t];
      voicedFrames += voiced;
    });
  }
  return {
    melMean: Float32Array.from(melMean),
    melDeviation: Math.fround(Math.sqrt(variance)),
    logF0Mean: Math.fround(logF0 / voicedFrames),
  };
}

/** `count` distinct rows of the given vectors, at random. */
function sampleRows(vectors: readonly Float32Array[], count: number, uniform: Uniform): Float32Array {
  const places = vectors.flatMap((rows, which) =>
    Array.from({ length: rows.length / FEATURES }, (_, row) => [which, row] as const),
  );
  const chosen = new Float32Array(Math.min(count, places.length) * FEATURES);
  for (let i = 0; i < chosen.length / FEATURES; i++) {
    const j = i + Math.floor(uniform() * (places.length - i));
    [places[i], places[j]] = [places[j], places[i]];
    const [which, row] = places[i];
    chosen.set(vectors[which].subarray(row * FEATURES, (row + 1) * FEATURES), i * FEATURES);
  }
  return chosen;
}

type Search = (rows: Float32Array, entries: Float32Array) => Promise<Int32Array>;

async function compileSearch(): Promise<Search> {
  const search = await compile(
    ({ rows, entries }) => ({ nearest: nearestEntries(rows, entries) }),
    {
      rows: { shape: [CHUNK, FEATURES], dtype: 'float32' },
      entries: { shape: [CODEBOOK_SIZE, FEATURES], dtype: 'float32' },
    },
    { device },
  );
  return async (rows, entries) => {
    const count = rows.length / FEATURES;
    const nearest = new Int32Array(count);
    const chunk = new Float32Array(CHUNK * FEATURES);
    for (let start = 0; start < count; start += CHUNK) {
      chunk.set(rows.subarray(start * FEATURES, (start + CHUNK) * FEATURES));
      const found = await search({ rows: chunk, entries });
      nearest.set((found.nearest as Int32Array).subarray(0, Math.min(CHUNK, count - start)), start);
    }
    return nearest;
  };
}

/** Lloyd's algorithm from random rows; an entry with hardly any rows starts again from a random one. */
async function trainCodebook(rows: Float32Array, search: Search, uniform: Uniform): Promise<Float32Array> {
  const count = rows.length / FEATURES;
  const randomRow = (): Float32Array => {
    const start = Math.floor(uniform() * count) * FEATURES;
    return rows.subarray(start, start + FEATURES);
  };
  const entries = new Float32Array(CODEBOOK_SIZE * FEATURES);
  for (let entry = 0; entry < CODEBOOK_SIZE; entry++) entries.set(randomRow(), entry * FEATURES);
  for (let iteration = 0; iteration < ITERATIONS; iteration++) {
    const nearest = await search(rows, entries);
    const sums = new Float64Array(entries.length);
    const members = new Int32Array(CODEBOOK_SIZE);
    nearest.forEach((entry, row) => {
      members[entry]++;
      for (let i = 0; i < FEATURES; i++) sums[entry * FEATURES + i] += rows[row * FEATURES + i];
    });
    for (let entry = 0; entry < CODEBOOK_SIZE; entry++) {
      const start = entry * FEATURES;
      if (members[entry] < count * 1e-4) entries.set(randomRow(), start);
      else for (let i = start; i < start + FEATURES; i++) entries[i] = sums[i] / members[entry];
    }
  }
  return entries;
}

function subtractNearest(rows: Float32Array, nearest: Int32Array, entries: Float32Array): void {
  nearest.forEach((entry, row) => {
    for (let i = 0; i < FEATURES; i++) rows[row * FEATURES + i] -= entries[entry * FEATURES + i];
  });
}

const float = (data: Float32Array, shape = [data.length]): HostTensor => ({ data, shape, dtype: 'float32' });

createProgram(
  'node dist/recipes/default/codebooks.js',
  `train the codec's feature scale and codebooks on what speech.js spoke; writes ${CODEBOOKS_FILE}`,
).parse();

const analyses = await analyseRecordings();
const scale = measureScale(analyses);
const uniform = uniformStream(SEED);
const rows = sampleRows(
  analyses.map((analysis) => scaleFeatures(analysis, scale)),
  FRAMES,
  uniform,
);
console.log(`${rows.length / FEATURES} frames of ${analyses.length} recordings`);
const tensors = new Map<string, HostTensor>([
  ['scale.mel_mean', float(scale.melMean)],
  ['scale.mel_deviation', float(Float32Array.of(scale.melDeviation))],
  ['scale.log_f0_mean', float(Float32Array.of(scale.logF0Mean))],
]);
const search = await compileSearch();
for (let stage = 0; stage < CODEBOOKS; stage++) {
  const entries = await trainCodebook(rows, search, uniform);
  subtractNearest(rows, await search(rows, entries), entries);
  tensors.set(`codebooks.${stage}`, float(entries, [CODEBOOK_SIZE, FEATURES]));
  const error = rows.reduce((sum, value) => sum + value * value, 0) / (rows.length / FEATURES);
  console.log(`codebook ${stage}: squared error ${error.toFixed(2)} a frame`);
}
await writeSafetensors(CODEBOOKS_FILE, tensors);
console.log(`wrote ${CODEBOOKS_FILE}`);
