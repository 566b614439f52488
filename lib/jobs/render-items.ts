import { join } from 'node:path';
import { encodeWav, type NamedRecording } from '../audio/wav.js';
import { writeFileAtomic } from '../checkpoint/atomic.js';
import { sampleCompletions } from '../experiment/sample.js';
import { synthesize } from '../experiment/synthesize.js';
import { createRunDirectories } from '../run/directories.js';
import { ORIGINAL, type RunEvent } from '../run/events.js';
import type { Parameters } from '../run/parameters.js';
import type { RunOptions } from './experiment.js';
import { openDevice, openModel, openPolicy } from './open.js';
import { openPrompts } from './prompts.js';
import { yieldingFirst } from '../plain-error.js';

/** A held-out item as mono sound. */
export interface RenderedItem {
  instruction: string;
  /** "source", what the policy was asked to edit; "target", what the data set holds as the edit; "policy", what the policy made of it. */
  recordings: NamedRecording[];
}

/**
 * Makes the sound of the first held-out items, one sample each, and writes it as WAV files into the output directory of a new run.
 *
 * @param parameters those of models, prompts and sampling count
 * @param items is filled with one entry for each of `parameters.testPrompts`
 * @throws Error when the policy writes nothing for an item
 */
export const renderItems = yieldingFirst(async function* (
  parameters: Parameters,
  { root, signal, onNotice, ...options }: RunOptions,
  items: RenderedItem[],
): AsyncGenerator<RunEvent> {
  const policy = await openPolicy(parameters, { signal, onNotice });
  // Of a dataset the items before the held-out ones are those that a run trains on.
  const counts = {
    train: parameters.data === null ? 0 : parameters.trainPrompts,
    test: parameters.testPrompts,
  };
  const { test: prompts } = await openPrompts(policy, parameters, counts, { signal, onNotice });
  await using opened = openDevice(options);
  await using model = await openModel(policy, parameters, {
    device: opened.device,
    speaks: true,
    signal,
    onNotice,
  });
  const { outputDirectory } = options.directories ?? (await createRunDirectories(root, new Date(), signal));
  const { codec } = model;
  const progress = { iteration: ORIGINAL, split: 'test' } as const;
  const sampling = { ...model, parameters, signal };
  const stage = { ...progress, stage: 'sample' } as const;
  const completions = yield* sampleCompletions(sampling, prompts, 1, parameters.seed, stage);
  let done = 0;
  for (const { prompt, codes } of completions.flat()) {
    const { index, item } = prompt;
    if (codes.length === 0)
      throw new Error(`the policy wrote nothing for "${item.instruction}": try another seed`);
    const decoders: [string, () => Promise<Float32Array>][] = [
      ['source', () => codec.decode(item.src_encodec)],
      ['target', () => codec.decode(item.tgt_encodec)],
      ['policy', async () => (await synthesize({ ...model, signal }, [{ item, codes }]))[0]],
    ];
    const rendered: RenderedItem = { instruction: item.instruction, recordings: [] };
    for (const [name, decode] of decoders) {
      signal?.throwIfAborted();
      const samples = await decode();
      const file = join(outputDirectory, 'audio', `item_${index}_${name}.wav`);
      await writeFileAtomic(file, encodeWav(samples, codec.sampleRateHz));
      rendered.recordings.push({ name, samples, sampleRateHz: codec.sampleRateHz });
      yield { type: 'progress', ...progress, stage: 'decode', done: ++done, total: 3 * prompts.length };
    }
    items.push(rendered);
  }
});
