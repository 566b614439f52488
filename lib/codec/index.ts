/** `speech-dpo/codec`: neural audio codecs, which turn a waveform into discrete codes and back. */
export type { Codec, Codes } from './codec.js';
export { openCodec } from './open.js';
export { openEncodec } from './encodec/codec.js';
export { openSpectralCodec } from './spectral/codec.js';
