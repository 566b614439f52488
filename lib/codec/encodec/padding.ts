/** Which columns a convolution reads where it looks beyond the ends of the sequence. */
import type { EncodecConfig } from './config.js';
import { reach, type ConvLayer } from './layers.js';
import { columnCount } from './network.js';

/** The column of zeros; the columns of `past` and then of the piece come after it. */
const ZERO = 0;

/** A piece within its sequence, in frames of codes. */
export interface Piece {
  firstFrame: number;
  /** As of `columnCount`. */
  frames: number | undefined;
}

/**
 * Indices into [zero, past, piece] for a convolution's input: the positions before the piece and, with a stride, the piece and what is
 * beyond its end. Before the first position and after the last the sequence is mirrored or zero, as transformers' EncodecConv1d pads it:
 * a sequence too short to be mirrored gets zeros at its end first.
 *
 * @param length of the whole sequence at this convolution's input
 */
export function columnsOf(
  layer: ConvLayer,
  padMode: EncodecConfig['pad_mode'],
  { firstFrame, frames }: Piece,
  length: number,
): Int32Array {
  const back = reach(layer);
  const start = firstFrame * layer.inputsPerFrame;
  const beyondEnd = Math.ceil(length / layer.stride) * layer.stride - length;
  const zeros = Math.max(0, Math.max(back, beyondEnd) - length + 1);
  const mirrored = (position: number): number => {
    const last = length + zeros - 1;
    return position < 0 ? -position : position > last ? 2 * last - position : position;
  };
  return Int32Array.from({ length: columnCount(layer, frames) }, (_, i) => {
    const position = start - back + i;
    const isInside = position >= 0 && position < length;
    const isPadding = position < 0 || position < length + beyondEnd;
    if (!isInside && (!isPadding || padMode === 'constant')) return ZERO;
    const source = mirrored(position);
    return source < length ? 1 + back + source - start : ZERO;
  });
}
