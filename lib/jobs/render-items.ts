import { join } from 'node:path';
import { encodeWav } from '../audio/wav.js';
import { writeFileAtomic } from '../checkpoint/atomic.js';
import { sampleCompletions } from '../experiment/sample.js';
import { ORIGINAL, type RunEvent } from '../run/events.js';
import { withRun, type RunOptions } from './experiment.js';
import type { Parameters } from '../run/parameters.js';
import { synthesize } from '../experiment/synthesize.js';

/** A held-out item as mono sound. */
export interface RenderedItem {
  instruction: string;
  /** "source", what the policy was asked to edit; "target", what the data set holds as the edit; "policy", what the policy made of it. */
  recordings: { name: string; samples: Float32Array; sampleRateHz: number }[];
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
    const { codec, test: prompts } = run;
    const progress = { iteration: ORIGINAL, split: 'test' } as const;
    const completions = yield* sampleCompletions(
      run,
      prompts,
      1,
      parameters.seed,
      { ...progress, stage: 'sample' },
      () => undefined,
    );
    let done = 0;
    for (const [index, { item }] of prompts.entries()) {
      const [codes] = completions[index];
      if (codes.length === 0)
        throw new Error(`the policy wrote nothing for "${item.instruction}": try another seed`);
      const decoders: [string, () => Promise<Float32Array>][] = [
        ['source', () => codec.decode(item.src_encodec)],
        ['target', () => codec.decode(item.tgt_encodec)],
        ['policy', async () => (await synthesize(run, [{ item, codes }]))[0]],
      ];
      const rendered: RenderedItem = { instruction: item.instruction, recordings: [] };
      for (const [name, decode] of decoders) {
        run.signal?.throwIfAborted();
        const samples = await decode();
        const file = join(run.directories.outputDirectory, 'audio', `item_${index}_${name}.wav`);
        await writeFileAtomic(file, encodeWav(samples, codec.sampleRateHz));
        rendered.recordings.push({ name, samples, sampleRateHz: codec.sampleRateHz });
        yield { type: 'progress', ...progress, stage: 'decode', done: ++done, total: 3 * prompts.length };
      }
      items.push(rendered);
    }
  });
}
