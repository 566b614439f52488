import type { Parameters } from '../run/parameters.js';
import { renderItems, type RenderedItem } from '../jobs/render-items.js';
import { watch } from './watch.js';
import { printNotice } from './notebook-kernel.js';

/**
 * Makes the sound of the first held-out items, one sample each, with live progress; the WAV files go into a new run's output directory.
 *
 * @param root folder that gets output/ and model_output/; default: the project, one folder above the notebooks
 * @throws Error when the policy writes nothing for an item
 */
export async function makeAudio(parameters: Parameters, root = '..'): Promise<RenderedItem[]> {
  const items: RenderedItem[] = [];
  await watch(
    (signal) => renderItems(parameters, { root, signal, onNotice: printNotice }, items),
    'loading policy and codec ...',
  );
  return items;
}
