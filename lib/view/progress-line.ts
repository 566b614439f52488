import stringWidth from 'string-width';
import type { ProgressFields } from './progress.js';

/** What a line of a terminal tells of a job under way. */
export interface ProgressLine {
  job: string;
  done: number;
  total: number;
  fields: ProgressFields;
}

const LONGEST_BAR = 40;
const SHORTEST_BAR = 5;
/** A job's name that is cut to less says nothing. */
const SHORTEST_JOB = 6;

/** Which fields a line shows, those of the widest line first; only lines with all of a job's name have a bar. */
const CHOICES: { fields: (keyof ProgressFields)[]; withBar: boolean }[] = [
  { fields: ['rate', 'remaining', 'run', 'workers', 'loss', 'reward'], withBar: true },
  { fields: ['rate', 'remaining', 'run', 'workers', 'loss'], withBar: true },
  { fields: ['rate', 'remaining', 'run', 'workers'], withBar: true },
  { fields: ['rate', 'remaining', 'run'], withBar: true },
  { fields: ['rate', 'remaining'], withBar: true },
  { fields: ['rate', 'remaining'], withBar: false },
  { fields: ['remaining'], withBar: false },
  { fields: [], withBar: false },
];

/**
 * A job with its bar, count, rate, time left, loss and reward, as far as they fit: in a narrower terminal the bar gets shorter first, then
 * whole fields go, then the bar, and the job's name is cut. No figure is ever cut; the count always stays.
 *
 * @param columns width of the terminal
 */
export function progressLine({ job, done, total, fields }: ProgressLine, columns: number): string {
  const count = `${done}/${total}`;
  for (const choice of CHOICES) {
    const shown = choice.fields.flatMap((name) => fields[name] ?? []).join(', ');
    const figures = shown === '' ? count : `${count} ${shown}`;
    const room = columns - stringWidth(figures) - 1;
    if (choice.withBar) {
      const bar = Math.min(LONGEST_BAR, room - stringWidth(job) - 1);
      if (bar >= SHORTEST_BAR) return `${job} ${drawBar(done, total, bar)} ${figures}`;
    } else if (room >= Math.min(SHORTEST_JOB, stringWidth(job))) {
      return `${cutTo(job, room)} ${figures}`;
    }
  }
  return count;
}

function drawBar(done: number, total: number, width: number): string {
  const filled = Math.round(width * Math.min(1, Math.max(0, total > 0 ? done / total : 0)));
  return '█'.repeat(filled) + '░'.repeat(width - filled);
}

/** A text in so many columns, an ellipsis at its end where it is cut. */
function cutTo(text: string, columns: number): string {
  if (stringWidth(text) <= columns) return text;
  let cut = '';
  for (const { segment } of new Intl.Segmenter().segment(text)) {
    if (stringWidth(cut + segment) > columns - 1) break;
    cut += segment;
  }
  return `${cut.trimEnd()}…`;
}
