import type { DatasetItem } from '../data/item.js';

/** A prompt, its place in its split and its ids as the policy reads them. */
export interface PackedPrompt {
  index: number;
  item: DatasetItem;
  ids: number[];
}
