import { Command } from 'commander';
import { readVotesFile, type VotesFile } from '../run/votes-file.js';
import { countVotes, type Contest } from '../run/win-rates.js';
import { showableText } from '../view/escape.js';
import { endedBy } from './interrupt.js';

/** `speech-dpo votes`: who won. */
export function votesCommand(signal: AbortSignal): Command {
  return new Command('votes')
    .description('count the votes that pages of "listen" exported: win rates with intervals, and a sign test')
    .argument('<files...>', 'votes files, one of each listener')
    .option('--json', 'print JSON', false)
    .action(async (paths: string[], { json }: { json: boolean }) => {
      const contests = countVotes(await endedBy(signal, readAll(paths)));
      const text = json ? JSON.stringify(contests, null, 2) : contests.map(describe).join('\n\n');
      process.stdout.write(`${text}\n`);
    });
}

async function readAll(paths: readonly string[]): Promise<VotesFile[]> {
  const files: VotesFile[] = [];
  for (const path of paths) {
    const file = await readVotesFile(path);
    const same = files.findIndex(({ page, listener }) => page === file.page && listener === file.listener);
    if (same >= 0)
      throw new Error(
        `${paths[same]} and ${path} are exports of one listener from one page: give the later one only`,
      );
    if (file.votes.length === 0) throw new Error(`${path} holds no vote`);
    files.push(file);
  }
  return files;
}

function describe({
  systems,
  listeners,
  votes,
  wins,
  noDifference,
  bothBad,
  left,
  rates,
  p,
}: Contest): string {
  const decided = wins[0] + wins[1];
  const rows = systems.map((system, i) => {
    const rate = rates?.[i];
    const interval = rate
      ? `${percent(rate.share)} of ${decided}, 95 % interval ${percent(rate.low)} to ${percent(rate.high)}`
      : '';
    return [`${system} preferred`, String(wins[i]), interval];
  });
  rows.push(['no difference', String(noDifference), ''], ['both bad', String(bothBad), '']);
  const width = Math.max(...rows.map(([name]) => name.length));
  const table = rows.map(([name, count, interval]) =>
    `  ${name.padEnd(width)}  ${count.padStart(5)}  ${interval}`.trimEnd(),
  );
  const heading = `${systems.join(' against ')}: ${votes} votes, ${listeners === 1 ? '1 listener' : `${listeners} listeners`}`;
  const test =
    decided === 0
      ? 'nobody preferred a side: there is nothing to test'
      : `sign test over the ${decided} votes for a side: p = ${formatP(p)}; ${left} of them were for the left side`;
  return showableText([heading, ...table, `  ${test}`].join('\n'));
}

function percent(share: number): string {
  return `${Math.round(100 * share)} %`;
}

function formatP(p: number): string {
  return p < 0.001 ? p.toExponential(1) : p.toFixed(3);
}
