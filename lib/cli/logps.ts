import { Command } from 'commander';
import {
  logProbabilities,
  type CompletionReport,
  type LogProbability,
  type LogProbabilityOptions,
  type LogProbabilityReport,
} from '../jobs/log-probs.js';
import { showableText } from '../view/escape.js';
import { formatNumber } from '../format.js';
import { numberColumn, type Table } from '../view/table.js';
import { deviceOptions, openChosen, sayWhere, type DeviceOptions } from './device-option.js';
import { endedBy } from './interrupt.js';
import { parseNumber } from './parameter-options.js';
import { POLICY_NAMES_AND_DEFAULT } from '../run/names.js';
import { sayOnStderr } from './standard-streams.js';
import { fittedTable } from './terminal.js';

type Options = Pick<
  LogProbabilityOptions,
  'pairs' | 'completions' | 'model' | 'policy' | 'reference' | 'beta' | 'batchSize'
> &
  DeviceOptions & { perToken: boolean; json: boolean };

/** `speech-dpo logps`: log-probabilities of given completions. */
export function logpsCommand(signal: AbortSignal): Command {
  const command = new Command('logps')
    .description(
      'compute log-probabilities of given completions under a checkpoint, as training computes them',
    )
    .option(
      '--pairs <file>',
      'preference pairs, for example output/0601-1200/data_iter_1.json, or JSON Lines of {"prompt", "chosen", "rejected"}',
    )
    .option(
      '--completions <file>',
      'instead: JSON or JSON Lines of {"instruction", "source", "completion"}, codes of codebook 0 as [12, 7] or "v_tok_12v_tok_7"',
    )
    .option('--model <folder>', 'model folder; "default" is the embedded one', 'default')
    .option('--policy <source>', `checkpoint instead of the model's policy: ${POLICY_NAMES_AND_DEFAULT}`)
    .option(
      '--reference <source>',
      'checkpoint to compare with, named as --policy; it adds implicit rewards and margins',
    )
    .option(
      '--beta <number>',
      'factor of implicit rewards; default: that of the run that wrote the file, else 0.1',
      parseNumber,
    )
    .option('--batch-size <number>', 'completions at once', parseNumber, 8)
    .option('--per-token', "each label's log-probability too", false)
    .option('--json', 'print JSON', false)
    .action(async ({ perToken, json, device, tf32, ...given }: Options) => {
      await using chosen = await openChosen({ device, tf32 }, signal);
      sayWhere(chosen);
      const computing = logProbabilities({ ...given, ...chosen, signal, onNotice: sayOnStderr });
      const report = await endedBy(signal, computing);
      const text = json ? asJson(report, perToken) : asText(report, perToken);
      process.stdout.write(`${text}\n`);
    });
  for (const option of deviceOptions()) command.addOption(option);
  return command;
}

/** All digits; without `perToken` no lists of labels. */
function asJson(report: LogProbabilityReport, perToken: boolean): string {
  const isShown = (key: string) => perToken || (key !== 'perLabel' && key !== 'tokens');
  return JSON.stringify(report, (key, value: unknown) => (isShown(key) ? value : undefined), 2);
}

function asText(report: LogProbabilityReport, perToken: boolean): string {
  const { policy, reference, beta, completions, means } = report;
  const parts = [
    `policy: ${policy}`,
    ...(reference === undefined ? [] : [`reference: ${reference}, beta ${beta}`]),
    '',
    fittedTable(tableOf(completions)),
    ...(means ? ['', fittedTable(numbersTable(['mean over pairs', ''], Object.entries(means)))] : []),
    ...(perToken ? completions.flatMap((each, index) => ['', nameOf(each, index), labelTable(each)]) : []),
  ];
  return showableText(parts.join('\n'));
}

const nameOf = ({ pair, role }: CompletionReport, index: number): string =>
  role === undefined ? `completion ${index}` : `pair ${pair} ${role}`;

function tableOf(completions: readonly CompletionReport[]): Table {
  const hasReference = completions[0].reference !== undefined;
  const ofReference = hasReference ? ['reference sum', 'reward'] : [];
  return numbersTable(
    ['', 'labels', 'log-probability', 'per label', ...ofReference],
    completions.map((each, index) => [
      nameOf(each, index),
      String(each.labels),
      each.sum,
      each.mean,
      ...(each.reference ? [each.reference.sum, each.reward!] : []),
    ]),
  );
}

function labelTable({ tokens, perLabel, reference }: CompletionReport & LogProbability): string {
  const titles = ['token', 'log-probability', ...(reference ? ['reference'] : [])];
  const rows = tokens.map((token, index) => [
    token,
    perLabel[index],
    ...(reference ? [reference.perLabel[index]] : []),
  ]);
  return fittedTable(numbersTable(titles, rows));
}

/** Names on the left, numbers with four decimals on the right. */
function numbersTable(titles: readonly string[], rows: readonly (readonly (string | number)[])[]): Table {
  return {
    columns: titles.map((title, index) => (index === 0 ? { title } : numberColumn(title))),
    rows: rows.map((row) => row.map((cell) => (typeof cell === 'number' ? formatNumber(cell, 4) : cell))),
  };
}
