/** The fast Griffin-Lim algorithm of griffin-lim.ts on a CPU: by fast Fourier transforms, in WebAssembly. */
import { hannWindow } from '../../audio/stft.js';
import type { CpuDevice, DeviceTensor } from '../../engine/index.js';
import { openParts } from '../../release.js';
import { GRIFFIN_LIM_KERNEL } from './griffin-lim-kernel.js';
import { HOP } from './features.js';
import { BINS, FFT_SIZE, overlapGain } from './stft-graph.js';

/** Griffin-Lim for recordings of one number of frames. */
export interface PhaseSearch {
  /** Where the magnitudes are to be written before `find`, [BINS, frames]. */
  readonly magnitudes: DeviceTensor;
  /**
   * A signal whose spectrum has nearly the magnitudes, from the phase of the signal `start`; both are [frames + 3, HOP], with margins.
   * One after the other: the next begins when this one has come.
   */
  find(start: Float32Array): Promise<Float32Array>;
  dispose(): Promise<void>;
}

/** Frames that the kernel transforms together. */
const FRAMES_AT_ONCE = 8;
/** The radices of the kernel's transform on the way to the spectrum, in their order. */
const RADICES = [4, 4, 4, 2, 5];
/** Bytes of a complex number of four lanes. */
const COMPLEX_BYTES = 32;
/** Numbers of one: two vectors. */
const COMPLEX_NUMBERS = 8;

/** @throws TypeError when `frames` is no multiple of 8 */
export function openPhaseSearch(device: CpuDevice, frames: number, iterations: number): Promise<PhaseSearch> {
  return openParts(async (opened) => {
    if (frames % FRAMES_AT_ONCE !== 0)
      throw new TypeError(`frames come in multiples of ${FRAMES_AT_ONCE}, got ${frames}`);
    // One more than a signal has: what a vector reads at once stays within the row.
    const columns = frames + 4;
    const memory = await device.allocate([
      ['tables', [4 * FFT_SIZE]],
      ['work', [COMPLEX_NUMBERS * FFT_SIZE]],
      ['magnitudes', [BINS, frames]],
      ['gain', [HOP, columns]],
      ['start', [HOP, columns]],
      ['signal', [HOP, columns]],
      ['other', [HOP, columns]],
    ] as const);
    opened.push(memory.release);
    const at = (name: Parameters<typeof memory.tensors.get>[0]) => memory.tensors.get(name)!;
    // The inverse transform leaves a factor of FFT_SIZE.
    const gain = overlapGain(frames).map((value) => value / FFT_SIZE);
    await device.write(at('tables'), tables());
    await device.write(at('gain'), resized(gain, frames + 3, columns));
    const kernel = await device.call('instantiate', memory.handle, GRIFFIN_LIM_KERNEL);
    const places = ['tables', 'work', 'magnitudes', 'gain', 'start', 'signal', 'other'] as const;
    const addresses = places.map((name) => at(name).start * Float32Array.BYTES_PER_ELEMENT);
    return {
      magnitudes: at('magnitudes'),
      async find(start) {
        await device.write(at('start'), columnsOf(start, columns));
        await device.call('call', kernel, 'griffinLim', [...addresses, frames, iterations]);
        return blocksOf((await device.read(at('signal'))) as Float32Array, columns, frames + 3);
      },
      dispose: memory.release,
    };
  });
}

/** What the kernel calls window, roots and places, one after the other. */
function tables(): Float32Array {
  const all = new Float32Array(4 * FFT_SIZE);
  const [window, roots, places] = [0, FFT_SIZE, 3 * FFT_SIZE];
  all.set(hannWindow(FFT_SIZE), window);
  for (let j = 0; j < FFT_SIZE; j++) {
    const angle = (2 * Math.PI * j) / FFT_SIZE;
    all.set([Math.cos(angle), -Math.sin(angle)], roots + 2 * j);
  }
  new Int32Array(all.buffer).set(placesOfFrequencies(), places);
  return all;
}

/** Where a transform in place leaves each frequency, in bytes: at the number that its digits make in reversed order. */
function placesOfFrequencies(): Int32Array {
  const places = new Int32Array(FFT_SIZE);
  for (let place = 0; place < FFT_SIZE; place++) {
    let [frequency, rest, size, weight] = [0, place, FFT_SIZE, 1];
    for (const radix of RADICES) {
      size /= radix;
      frequency += weight * Math.floor(rest / size);
      rest %= size;
      weight *= radix;
    }
    places[frequency] = place * COMPLEX_BYTES;
  }
  return places;
}

/** [blocks, HOP] to [HOP, columns], of which the last columns stay 0. */
function columnsOf(blocks: Float32Array, columns: number): Float32Array {
  const signal = new Float32Array(HOP * columns);
  for (let block = 0; block * HOP < blocks.length; block++)
    for (let n = 0; n < HOP; n++) signal[n * columns + block] = blocks[block * HOP + n];
  return signal;
}

/** The inverse of `columnsOf`. */
function blocksOf(signal: Float32Array, columns: number, count: number): Float32Array {
  const blocks = new Float32Array(count * HOP);
  for (let block = 0; block < count; block++)
    for (let n = 0; n < HOP; n++) blocks[block * HOP + n] = signal[n * columns + block];
  return blocks;
}

/** Rows of `from` numbers as rows of `to`, filled up with 0. */
function resized(rows: Float32Array, from: number, to: number): Float32Array {
  const result = new Float32Array((rows.length / from) * to);
  for (let row = 0; row * from < rows.length; row++)
    result.set(rows.subarray(row * from, (row + 1) * from), row * to);
  return result;
}
