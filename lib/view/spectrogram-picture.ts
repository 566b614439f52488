import { slaneyMel } from '../audio/mel.js';
import { formatNumber } from '../format.js';
import { DECIBEL_RANGE, MAX_HZ } from './spectrogram.js';

/** A spectrogram to be drawn on the axes of its comparison. */
export interface PicturedSound {
  durationSeconds: number;
  /** Address of the spectrogram's PNG. */
  spectrogram: string;
  /** The picture's upper edge, at most {@link MAX_HZ}. */
  maxHz: number;
}

/** One scale for all pictures, in a sentence. */
export const SCALE_NOTE =
  'Spectrograms: seconds to the right, all clips of a prompt on one scale; kHz upwards, mel-spaced; brightness from ' +
  `${formatNumber(DECIBEL_RANGE.min, 0)} to ${formatNumber(DECIBEL_RANGE.max, 0)} dB of full scale, the same in all.`;

const HEIGHT = 120;
const LABELS_WIDTH = 48;
const TICKS_HZ = [8000, 4000, 2000, 1000, 500, 0];
/** Half of a label's line. */
const HALF_LINE = 6.5;
const SILENT = '#2b2b36';
const LINE = '1px solid #8a8a99';

/**
 * A spectrogram with axes: kHz upwards, mel-spaced up to 8 kHz, and seconds to the right. All pictures of a comparison have the same axes,
 * whatever their duration and sample rate; where a recording has nothing, the ground is grey. The panel is dark in every colour scheme, as
 * the colours of the spectrogram are.
 *
 * Its styles stand in the elements, since no style sheet survives in a notebook that is not trusted.
 *
 * @param longestSeconds what the width stands for
 */
export function spectrogramPicture(
  { durationSeconds, spectrogram, maxHz }: PicturedSound,
  longestSeconds: number,
): string {
  const share = Math.min(100, (100 * durationSeconds) / longestSeconds);
  const height = HEIGHT * heightOf(maxHz);
  const image =
    `<img src="${spectrogram}" alt="spectrogram, ${durationSeconds.toFixed(2)} s" ` +
    `style="display:block;width:${share.toFixed(2)}%;max-width:none;height:${height.toFixed(1)}px;margin:${(HEIGHT - height).toFixed(1)}px 0 0 0">`;
  const hz = TICKS_HZ.map((tick) => {
    const top = HEIGHT * (1 - heightOf(tick));
    return (
      `<div style="position:absolute;right:9px;top:${(top - HALF_LINE).toFixed(1)}px">${tick / 1000}${tick === MAX_HZ ? ' kHz' : ''}</div>` +
      `<div style="position:absolute;right:0;top:${top.toFixed(1)}px;width:5px;border-top:${LINE}"></div>`
    );
  });
  const seconds = secondTicks(longestSeconds).map(
    (tick) =>
      `<div style="position:absolute;left:${((100 * tick) / longestSeconds).toFixed(2)}%;top:0;padding:2px 0 0 3px;border-left:${LINE}">${tick}${tick === 0 ? ' s' : ''}</div>`,
  );
  return (
    `<div style="padding:9px 10px 4px 0;border-radius:6px;background-color:#14141c;color:#e4e4ec;font-size:11px;line-height:13px;white-space:nowrap">` +
    `<div style="display:flex"><div style="position:relative;flex:none;width:${LABELS_WIDTH}px;height:${HEIGHT}px">${hz.join('')}</div>` +
    `<div class="sound-plot" style="position:relative;flex:1 1 0;min-width:0;height:${HEIGHT}px;overflow:hidden;background-color:${SILENT}">${image}</div></div>` +
    `<div style="position:relative;height:17px;margin-left:${LABELS_WIDTH}px;border-top:${LINE}">${seconds.join('')}</div></div>`
  );
}

/** Share of the picture's height below a frequency. */
function heightOf(hz: number): number {
  return slaneyMel(hz) / slaneyMel(MAX_HZ);
}

/** At most seven, at a round distance; none so far right that its label would not fit. */
function secondTicks(longestSeconds: number): number[] {
  const steps = [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300];
  const step = steps.find((each) => longestSeconds / each <= 6) ?? 600;
  const count = Math.floor((0.93 * longestSeconds) / step) + 1;
  return Array.from({ length: count }, (_, i) => Number((i * step).toFixed(2)));
}
