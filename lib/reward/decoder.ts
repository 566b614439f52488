import type { Codec } from '../codec/codec.js';

/** What makes codes audible. */
export type Decoder = Pick<Codec, 'decode' | 'sampleRateHz'>;
