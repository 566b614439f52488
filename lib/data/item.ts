import type { Codes } from '../codec/codec.js';

/** One item of a dataset: a recording, what to do with it, and the edited recording, both as codes. */
export interface DatasetItem {
  src_encodec: Codes;
  instruction: string;
  tgt_encodec: Codes;
  /** The words that are spoken, where they are known. */
  text?: string;
}
