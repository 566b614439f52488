/** speech-dpo's side of a whole iteration on MOS at the research code's size, on what bench/base-size/make.py wrote. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Device } from '../lib/engine/index.js';
import { runExperiment } from '../lib/jobs/experiment.js';
import { parseParameters } from '../lib/run/parameters.js';
import { presets } from '../lib/run/presets.js';

/** Both sides sample, score and train so much. */
export interface IterationCounts {
  /** Prompts that are trained on; one more is evaluated only. */
  prompts: number;
  samples: number;
  /** The longest completion. */
  tokens: number;
}

/** One iteration: both evaluations, samples, scores, pairs, training, the checkpoint. */
export function iteration(
  folder: string,
  device: Device,
  counts: IterationCounts,
  { int8 = false }: { int8?: boolean } = {},
): () => Promise<void> {
  const parameters = parseParameters({
    ...presets.mos,
    policy: join(folder, 'policy'),
    nar: join(folder, 'nar'),
    codec: join(folder, 'tiny_encodec'),
    data: join(folder, 'items.jsonl'),
    trainPrompts: counts.prompts,
    testPrompts: 1,
    iterations: 1,
    sampleSize: counts.samples,
    numEval: 1,
    maxNewTokens: counts.tokens,
    int8,
    epochs: 1,
    batchSize: 1,
    pairsPerPrompt: 1,
    minMargin: 0,
    audioPrompts: 0,
    guard: false,
    guardPairs: false,
    learningRate: 1e-6,
    validationShare: 0,
  });
  return async () => {
    const root = mkdtempSync(join(tmpdir(), 'speech-dpo-bench-'));
    let steps = 0;
    try {
      for await (const event of runExperiment(parameters, { root, device }))
        if (event.type === 'step') steps++;
    } finally {
      rmSync(root, { recursive: true });
    }
    if (steps === 0) throw new Error('the iteration trained on no pair');
  };
}
