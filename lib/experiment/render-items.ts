import { join } from 'node:path';
import { encodeWav } from '../audio/wav.js';
import { writeFileAtomic } from '../checkpoint/atomic.js';
import { sampleCompletions } from './collect.js';
import { ORIGINAL, type RunEvent } from './events.js';
import { withRun, type RunOptions } from './experiment.js';
import type { Parameters } from './parameters.js';
import { synthesize } from './synthesize.js';

/** A held-out item's sound, mono: what the policy was asked to edit, what the data set holds as the edit, and what the policy made of it. */
export interface RenderedItem {
  instruction: string;
  sampleRateHz: number;
  source: Float32Array;
  target: Float32Array;
  sample: Float32Array;
  /** WAV files of the three, in the same order. */
  files: string[];
}

/**
 * Makes the sound of the first held-out items, one sample each, and writes it as WAV files into the output directory of a new run.
 *
 * @param items is filled with one entry for each of `parameters.testPrompts`
 * @throws Error when the policy writes nothing for an item
 */
export function renderItems(
  parameters: Parameters,
  options: RunOptions,
  items: RenderedItem[],
): AsyncGenerator<RunEvent> {
  return withRun(parameters, options, async function* (run) {
    const progress = { iteration: ORIGINAL, stage: 'sample', split: 'test' } as const;
    const completions = yield* sampleCompletions(
      run,
      run.test,
      1,
      parameters.seed,
      progress,
      () => undefined,
    );
    const { sampleRateHz } = run.codec;
    for (const [index, { item }] of run.test.entries()) {
      const [codes] = completions[index];
      if (codes.length === 0)
        throw new Error(`the policy wrote nothing for "${item.instruction}": try another seed`);
      const sounds = {
        source: await run.codec.decode(item.src_encodec),
        target: await run.codec.decode(item.tgt_encodec),
        sample: (await synthesize(run, [{ item, codes }]))[0],
      };
      const files: string[] = [];
      for (const [name, samples] of Object.entries(sounds)) {
        const file = join(run.directories.outputDirectory, 'audio', `item_${index}_${name}.wav`);
        await writeFileAtomic(file, encodeWav(samples, sampleRateHz));
        files.push(file);
      }
      items.push({ instruction: item.instruction, sampleRateHz, ...sounds, files });
      yield { type: 'progress', ...progress, stage: 'score', done: index + 1, total: run.test.length };
    }
  });
}
