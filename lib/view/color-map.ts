/**
 * Every 16th colour of matplotlib's "magma" (van der Walt and Smith 2015, CC0): lightness grows evenly, also in
 * greyscale and for colour-blind eyes.
 */
const MAGMA_STOPS =
  '000004 0a0822 1d1147 36106b 51127c 6a1c81 832681 9c2e7f b73779 cf4070 e55064 f4695c fb8761 fea571 fec287 fde0a1 fcfdbf';

/** Magma as a palette of 256 colours: red, green, blue of each, within 3 of 255 of matplotlib's. */
export const MAGMA = makePalette(MAGMA_STOPS.split(' '));

function makePalette(stops: string[]): Uint8Array {
  const channel = (stop: string, offset: number) => Number.parseInt(stop.slice(offset, offset + 2), 16);
  return Uint8Array.from({ length: 256 * 3 }, (_, i) => {
    const position = (Math.floor(i / 3) / 255) * (stops.length - 1);
    const stop = Math.min(stops.length - 2, Math.floor(position));
    const [low, high] = [channel(stops[stop], (i % 3) * 2), channel(stops[stop + 1], (i % 3) * 2)];
    return Math.round(low + (high - low) * (position - stop));
  });
}
