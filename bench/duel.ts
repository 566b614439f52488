/** Two sides of a call in turns (A B A B ...), on the same machine in the same minutes, and a table of what was seen. */
import { cpus, loadavg, totalmem } from 'node:os';
import type { Peer } from './peer.js';

/** The first calls compile, page in and warm up: unless a duel says otherwise, so many are not counted. */
export const WARM_UP = 2;
/** More than this and other programs shape the figures, PyTorch's first. */
const IDLE_LOAD = 0.5;

/** A row of the table. */
export interface Duel {
  name: string;
  /** Calls that count. */
  runs: number;
  /** Calls before those; default {@link WARM_UP}. */
  warmUp?: number;
  /** Opens what is timed. */
  ours: () => () => Promise<void>;
  /** What does not exist elsewhere has no peer. */
  peerName?: string;
  openPeer?: (python: string) => Promise<Peer>;
  format: (seconds: number) => string;
}

export const milliseconds = (seconds: number) => `${(seconds * 1000).toFixed(seconds < 0.1 ? 1 : 0)} ms`;
export const tokensPerSecond = (tokens: number) => (seconds: number) =>
  `${(tokens / seconds).toFixed(0)} tokens/s`;
export const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(0)} MB`;

/** @throws Error in one sentence where no row has `only` in its name */
export function chooseRows(duels: readonly Duel[], only: string): Duel[] {
  const chosen = duels.filter(({ name }) => name.includes(only));
  if (chosen.length > 0) return chosen;
  throw new Error(
    `--only ${only}: no row has that in its name; the rows are\n${duels.map(({ name }) => `  ${name}`).join('\n')}`,
  );
}

/**
 * Runs the duels one after the other and gives a Markdown table with the machine below it. Without `python` no row has a peer.
 *
 * @param openOurs starts speech-dpo's side of a row as a process of its own, of which peak memory is then shown as the peer's; without it,
 * that side is timed in this process and no memory is shown
 */
export async function fight(
  duels: readonly Duel[],
  python: string | undefined,
  { machine = '', openOurs }: { machine?: string; openOurs?: (duel: Duel) => Promise<Peer> } = {},
): Promise<string> {
  const load = readLoad();
  const versions: Record<string, string> = {};
  const rows: string[] = [];
  for (const duel of duels) {
    const peer = python === undefined ? undefined : await duel.openPeer?.(python);
    Object.assign(versions, peer?.versions);
    const own = openOurs ? await openOurs(duel) : timedHere(duel.ours());
    const { ours, theirs } = await timeInTurns(duel, own, peer);
    const memory = await Promise.all([own, ...(peer ? [peer] : [])].map(peakMemory));
    await Promise.all([own.close(), peer?.close()]);
    const columns = [duel.name, summarize(ours, duel.format)];
    if (peer) {
      const ratio = (median(theirs) / median(ours)).toFixed(2);
      columns.push(`${duel.peerName}: ${summarize(theirs, duel.format)}`, ratio);
    } else if (python) columns.push('-', '-');
    if (openOurs) columns.push(...memory, ...(python && !peer ? ['-'] : []));
    rows.push(`| ${columns.join(' | ')} |`);
  }
  const head = ['median (fastest to slowest)', 'speech-dpo'];
  if (python) head.push('peer', 'times as fast');
  if (openOurs) head.push('peak memory, speech-dpo');
  if (openOurs && python) head.push('peak memory, peer');
  return [
    `| ${head.join(' | ')} |`,
    `|${head.map(() => ' --- |').join('')}`,
    ...rows,
    '',
    `${describeMachine(versions, machine)}; load average before ${load.toFixed(2)}`,
  ].join('\n');
}

/** The load average; says so where other programs would shape the figures. */
export function readLoad(): number {
  const [load] = loadavg();
  if (load > IDLE_LOAD)
    console.log(`The machine is busy (load ${load.toFixed(1)}): these figures are not worth quoting.\n`);
  return load;
}

/** A call of this process, asked as a process of its own is. */
function timedHere(call: () => Promise<void>): Peer {
  return {
    versions: {},
    async time() {
      const start = performance.now();
      await call();
      return (performance.now() - start) / 1000;
    },
    peakBytes: () => Promise.resolve(undefined),
    close: () => Promise.resolve(),
  };
}

async function peakMemory(side: Peer): Promise<string> {
  const bytes = await side.peakBytes();
  return bytes === undefined ? '-' : megabytes(bytes);
}

/** Seconds of every counted call, ours and the peer's in turns. */
export async function timeInTurns(
  { runs, warmUp = WARM_UP }: Pick<Duel, 'runs' | 'warmUp'>,
  own: Peer,
  peer: Peer | undefined,
): Promise<{ ours: number[]; theirs: number[] }> {
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let run = 0; run < warmUp + runs; run++) {
    ours.push(await own.time());
    if (peer) theirs.push(await peer.time());
  }
  return { ours: ours.slice(warmUp), theirs: theirs.slice(warmUp) };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}

/** Median with the fastest and the slowest call. */
function summarize(seconds: readonly number[], format: Duel['format']): string {
  return `${format(median(seconds))} (${format(Math.min(...seconds))} to ${format(Math.max(...seconds))})`;
}

/** The day, the machine and the packages, for below a table. */
export function describeMachine(versions: Readonly<Record<string, string>>, machine = ''): string {
  const [{ model }] = cpus();
  const memory = `${(totalmem() / 2 ** 30).toFixed(0)} GiB`;
  const packages = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return [
    new Date().toISOString().slice(0, 10),
    ...(machine ? [machine] : []),
    `${model.trim()}, ${cpus().length} cores, ${memory}`,
    `Node.js ${process.versions.node}`,
    ...packages,
  ].join('; ');
}
