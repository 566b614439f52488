import { chooseDevice, type DeviceChoice } from '../engine/index.js';
import type { Parameters } from '../run/parameters.js';
import { renderItems, type RenderedItem } from '../jobs/render-items.js';
import { watch } from './watch.js';
import { printNotice } from './notebook-kernel.js';

/** Where the files go, and where the sound is made. */
interface MakeAudioOptions {
  /** Folder that gets output/ and model_output/; default: the project, one folder above the notebooks. */
  root?: string;
  /** Default: "auto" as in `chooseDevice`. */
  device?: DeviceChoice;
}

/**
 * Makes the sound of the first held-out items, one sample each, with live progress; the WAV files go into a new run's output directory.
 *
 * @throws Error when the policy writes nothing for an item
 */
export async function makeAudio(
  parameters: Parameters,
  { root = '..', device = 'auto' }: MakeAudioOptions = {},
): Promise<RenderedItem[]> {
  await using chosen = await chooseDevice(device);
  const items: RenderedItem[] = [];
  await watch(
    (signal) => renderItems(parameters, { ...chosen, root, signal, onNotice: printNotice }, items),
    'loading policy and codec ...',
  );
  return items;
}
