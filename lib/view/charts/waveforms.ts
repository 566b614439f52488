import type { Data, Layout } from 'plotly.js-dist';
import type { NamedRecording } from '../../audio/wav.js';
import { escapeChartText } from '../escape.js';
import {
  COLORS,
  axis,
  baseLayout,
  emptyFigure,
  panelsInARow,
  panelTitle,
  translucent,
  type Figure,
} from '../figure.js';

/** Columns of a panel: more than a screen shows would only make the notebook bigger. */
const COLUMNS = 400;
const GAP = 0.04;

/** Waveforms side by side on one scale: the lowest and the highest sample of every stretch of time. */
export function waveforms(recordings: readonly NamedRecording[]): Figure {
  if (recordings.length === 0) return emptyFigure('Nothing to show: there are no recordings.');
  const places = panelsInARow(recordings.length, GAP);
  const longestSeconds = Math.max(
    0.01,
    ...recordings.map(({ samples, sampleRateHz }) => samples.length / sampleRateHz),
  );
  const peak = Math.max(
    0.05,
    ...recordings.map(({ samples }) =>
      samples.reduce((most, x) => (Number.isFinite(x) ? Math.max(most, Math.abs(x)) : most), 0),
    ),
  );
  const layout: Partial<Layout> = { ...baseLayout(230), annotations: [], showlegend: false };
  const data = recordings.flatMap((recording, i): Data[] => {
    const { suffix, domain } = places[i];
    layout.annotations!.push(panelTitle(recording.name, domain));
    Object.assign(layout, {
      [`xaxis${suffix}`]: {
        ...axis('seconds'),
        domain,
        anchor: `y${suffix}`,
        range: [0, longestSeconds],
        showgrid: false,
      },
      [`yaxis${suffix}`]: {
        ...axis(''),
        anchor: `x${suffix}`,
        range: [-peak, peak],
        showticklabels: i === 0,
        nticks: 5,
      },
    });
    return envelopeTraces(recording, suffix);
  });
  return { data, layout };
}

function envelopeTraces({ name, samples, sampleRateHz }: NamedRecording, suffix: string): Data[] {
  const { seconds, low, high } = envelope(samples, sampleRateHz);
  const label = escapeChartText(name);
  const common = {
    type: 'scatter' as const,
    mode: 'lines' as const,
    x: seconds,
    xaxis: `x${suffix}` as 'x',
    yaxis: `y${suffix}` as 'y',
    line: { color: COLORS.after, width: 1 },
    hoverinfo: 'skip' as const,
    showlegend: false,
  };
  return [
    { ...common, name: `${label}, highest`, y: high },
    {
      ...common,
      name: `${label}, lowest`,
      y: low,
      fill: 'tonexty',
      fillcolor: translucent(COLORS.after, 0.5),
    },
  ];
}

function envelope(samples: Float32Array, sampleRateHz: number) {
  const stride = Math.max(1, Math.ceil(samples.length / COLUMNS));
  const seconds: number[] = [];
  const [low, high]: (number | null)[][] = [[], []];
  for (let start = 0; start < samples.length; start += stride) {
    const part = samples.subarray(start, start + stride);
    // Three decimals are less than a pixel.
    const round = (value: number) => (Number.isFinite(value) ? Math.round(value * 1000) / 1000 : null);
    seconds.push(Math.round((start / sampleRateHz) * 1000) / 1000);
    low.push(round(part.reduce((least, x) => Math.min(least, x), 1)));
    high.push(round(part.reduce((most, x) => Math.max(most, x), -1)));
  }
  return { seconds, low, high };
}
