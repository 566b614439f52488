import { dirname } from 'node:path';
import { z } from 'zod';
import { HALF_CHARACTER, isWholeText } from '../checkpoint/text-file.js';
import { jsonRows } from '../data/json-rows.js';
import { checkBatchSize, completionLogProbs, type CompletionLogProbs } from '../dpo/completion-log-probs.js';
import { checkBeta } from '../dpo/preference-loss.js';
import { meanOf } from '../mean.js';
import type { OnNotice } from '../notice.js';
import { sentenceOf, tellingFirst } from '../plain-error.js';
import { packCompletion, packPrompt } from '../policy/pack.js';
import type { Policy } from '../policy/policy.js';
import { parseTokens, readPairsJson } from '../run/data-file.js';
import { parseGivenPairs } from '../run/pairs-file.js';
import { recordOf } from '../run/run-files.js';
import { describeIssues } from '../zod-message.js';
import { openDevice, openPolicy, type GivenDevice } from './open.js';

export interface LogProbabilityOptions extends GivenDevice {
  /** Preference pairs: a data_iter_k.json, or rows as TRL has them. Either this or `completions`. */
  pairs?: string;
  /** JSON or JSON Lines of {instruction, source, completion}: codes of codebook 0, as a list or as `v_tok_12v_tok_7`. */
  completions?: string;
  /** Model folder whose policy it is where `policy` is not given; default: the embedded one. */
  model?: string;
  /** A checkpoint: a run's name, its iter_k, a folder or a hub name. */
  policy?: string;
  /** A checkpoint to compare with: gives implicit rewards. */
  reference?: string;
  /** Factor of implicit rewards; default: that of the run that wrote the file, else 0.1. */
  beta?: number;
  /** Completions at once; default 8. */
  batchSize?: number;
  signal?: AbortSignal;
  /** Is told of downloads, and which columns of `pairs` are not read. */
  onNotice?: OnNotice;
}

/** Natural logarithms, over all labels of a completion, `<s>` and `</s>` among them. */
export interface LogProbability {
  sum: number;
  /** Of a label. */
  mean: number;
  perLabel: number[];
}

export interface CompletionReport extends LogProbability {
  instruction: string;
  /** Of a preference pair: its place in the file, and which of the two it is. */
  pair?: number;
  role?: 'chosen' | 'rejected';
  labels: number;
  /** What the labels are: `<s>`, `v_tok_12`, ..., `</s>`. */
  tokens: string[];
  reference?: LogProbability;
  /** beta * (sum - reference.sum), DPO's implicit reward. */
  reward?: number;
}

export interface LogProbabilityReport {
  policy: string;
  reference?: string;
  beta?: number;
  completions: CompletionReport[];
  /** Of preference pairs: means by the names that metrics.jsonl has. */
  means?: Record<string, number>;
}

/**
 * Log-probabilities of given completions under a checkpoint, and where a reference is given DPO's implicit rewards
 * (Rafailov et al. 2023, arXiv:2305.18290): the numbers of training, see `completionLogProbs`. Of a run's data_iter_k.json, its checkpoint
 * k - 1 and beta these are what metrics.jsonl has of the first step's pairs.
 *
 * @throws Error in one sentence for a file, checkpoint or item that cannot be used
 */
export const logProbabilities = tellingFirst(async function (
  options: LogProbabilityOptions,
): Promise<LogProbabilityReport> {
  const { signal, onNotice, batchSize, model = 'default' } = options;
  checkNumbers(options);
  const { items, file, notices } = await readItemsOf(options);
  for (const notice of notices) onNotice?.(notice);
  await using opened = openDevice(options);
  const computed = async (source?: string) => {
    const loaded = await openPolicy({ model, policy: source }, { signal, onNotice });
    const { device } = opened;
    return completionLogProbs(loaded, packItems(loaded, items, file), { device, batchSize, signal });
  };
  const ofPolicy = await computed(options.policy);
  const ofReference = options.reference === undefined ? undefined : await computed(options.reference);
  const beta = ofReference && (options.beta ?? (await recordedBeta(file)) ?? 0.1);
  const completions = items.map(({ instruction, pair, role, completion }, index): CompletionReport => {
    const policy = logProbabilityOf(ofPolicy[index]);
    const reference = ofReference && logProbabilityOf(ofReference[index]);
    return {
      instruction,
      ...(role && { pair, role }),
      labels: policy.perLabel.length,
      ...policy,
      tokens: ['<s>', ...completion.map((code) => `v_tok_${code}`), '</s>'],
      ...(reference && { reference, reward: beta! * (policy.sum - reference.sum) }),
    };
  });
  return {
    policy: options.policy ?? `${model} (its own policy)`,
    ...(options.reference !== undefined && { reference: options.reference, beta }),
    completions,
    ...(options.pairs !== undefined && { means: meansOfPairs(completions) }),
  };
});

function checkNumbers({ batchSize, beta, reference }: LogProbabilityOptions): void {
  if (batchSize !== undefined) checkBatchSize(batchSize);
  if (beta === undefined) return;
  checkBeta(beta);
  if (reference === undefined) throw new Error('beta belongs to implicit rewards: give a reference too');
}

interface Item {
  instruction: string;
  source: number[];
  completion: number[];
  pair?: number;
  role?: 'chosen' | 'rejected';
}

const codes = z.union([z.array(z.number().int().min(0)), z.string()], {
  error: 'must be codes, as [12, 7] or "v_tok_12v_tok_7"',
});
const itemSchema = z.strictObject({
  instruction: z.string().refine(isWholeText, HALF_CHARACTER),
  source: codes,
  completion: codes,
});

async function readItemsOf({
  pairs,
  completions,
}: LogProbabilityOptions): Promise<{ items: Item[]; file: string; notices: string[] }> {
  if ((pairs === undefined) === (completions === undefined))
    throw new Error('give either pairs (a data_iter_k.json) or completions (JSON or JSON Lines)');
  const file = (pairs ?? completions)!;
  const items: Item[] = [];
  const notices: string[] = [];
  if (pairs !== undefined) {
    const given = parseGivenPairs(await readPairsJson(pairs), pairs);
    notices.push(...given.notices);
    for (const [pair, { instruction, source, chosen, rejected }] of given.rows.entries())
      items.push(
        { instruction, source, completion: chosen, pair, role: 'chosen' },
        { instruction, source, completion: rejected, pair, role: 'rejected' },
      );
  } else for await (const row of jsonRows(file)) items.push(parseItem(row, `${file}: item ${items.length}`));
  if (items.length === 0) throw new Error(`${file} holds no completions`);
  return { items, file, notices };
}

function parseItem(row: unknown, where: string): Item {
  const result = itemSchema.safeParse(row);
  if (!result.success) throw new Error(`${where}: ${describeIssues(result.error)}`);
  const { instruction, source, completion } = result.data;
  const parsed = (value: number[] | string) => (typeof value === 'string' ? parseTokens(value) : value);
  try {
    return { instruction, source: parsed(source), completion: parsed(completion) };
  } catch (error) {
    throw new Error(`${where}: ${sentenceOf(error)}`, { cause: error });
  }
}

function packItems(policy: Policy, items: readonly Item[], file: string) {
  return items.map(({ instruction, source, completion, pair }, index) => {
    try {
      return {
        prompt: packPrompt(policy, instruction, source),
        completion: packCompletion(policy, completion),
      };
    } catch (error) {
      const where = pair === undefined ? `item ${index}` : `pair ${pair}`;
      throw new Error(`${file}: ${where}: ${sentenceOf(error)}`, { cause: error });
    }
  });
}

async function recordedBeta(file: string): Promise<number | undefined> {
  return (await recordOf(dirname(file)))?.parameters.beta;
}

function logProbabilityOf({ sum, perLabel }: CompletionLogProbs): LogProbability {
  return { sum, mean: sum / perLabel.length, perLabel: [...perLabel] };
}

function meansOfPairs(completions: readonly CompletionReport[]): Record<string, number> {
  const means: Record<string, number> = {};
  const [chosen, rejected] = (['chosen', 'rejected'] as const).map((wanted) =>
    completions.filter(({ role }) => role === wanted),
  );
  means['logps/chosen'] = meanOf(chosen.map(({ sum }) => sum));
  means['logps/rejected'] = meanOf(rejected.map(({ sum }) => sum));
  if (chosen[0].reward === undefined) return means;
  const [better, worse] = [chosen, rejected].map((side) => side.map(({ reward }) => reward!));
  means['rewards/chosen'] = meanOf(better);
  means['rewards/rejected'] = meanOf(worse);
  means['rewards/margins'] = meanOf(better.map((reward, pair) => reward - worse[pair]));
  means['rewards/accuracies'] = meanOf(better.map((reward, pair) => (reward > worse[pair] ? 1 : 0)));
  return means;
}
