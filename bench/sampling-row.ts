import type { Device } from '../lib/engine/index.js';
import { tokensPerSecond, type Duel } from './duel.js';
import { sampling } from './ours.js';
import { openPeer } from './peer.js';
import type { Setting } from './setting.js';

/** A row of sampling random prompts, so many completions of each, all at once, on the device that is open when it is timed. */
export function samplingRow(
  row: Pick<Duel, 'name' | 'runs'>,
  setting: Setting,
  device: () => Device,
  sizes: { prompts: number; completions: number; int8?: boolean },
): Duel {
  const { prompts, completions } = sizes;
  return {
    ...row,
    peerName: 'transformers generate',
    ours: () => sampling(setting, device(), sizes),
    openPeer: (python) => openPeer(python, 'hf_generate.py', setting, `${prompts}`, `${completions}`),
    format: tokensPerSecond(prompts * completions * setting.completionLength),
  };
}
