/** The README.md of a trained checkpoint, as model cards on a hub are laid out. */
import { namedLoss } from '../dpo/losses/named.js';
import { formatNumber } from '../format.js';
import type { Adapter } from '../policy/architecture.js';
import type { Evaluation } from './evaluate.js';
import { isBuiltIn } from '../reward/built-in.js';
import { methodOf } from '../run/taught-by.js';
import { readVersions } from '../run/versions.js';
import type { Run } from './run.js';
import type { Parameters } from '../run/parameters.js';
import { comparePairs } from '../run/paired-comparison.js';
import { meanOrNull } from './guard-summary.js';
import { tally } from './tally.js';
import { summarize } from '../run/statistics.js';

/** What a hub takes for a model's name. */
const HUB_NAME = /^[\w-][\w.-]*\/[\w-][\w.-]*(@[\w./-]+)?$/;

/** Text of the card of iteration `iteration`: how to open it, where it comes from, rewards before and after, every parameter. */
export async function describeCheckpoint(
  run: Pick<Run, 'parameters' | 'directories' | 'device' | 'policy' | 'reward' | 'farm'>,
  iteration: number,
  original: Evaluation,
  trained: Evaluation,
): Promise<string> {
  const { parameters, directories } = run;
  const { policy, model, reward } = parameters;
  const { architecture, adapter } = run.policy;
  const rewarded = isBuiltIn(reward) ? reward : `${reward} (${markdown(run.reward.label)})`;
  const versions = Object.entries(await readVersions()).map(([name, version]) => `${name} ${version}`);
  const start =
    policy === null
      ? model === 'default'
        ? 'the policy embedded in speech-dpo'
        : `the policy in ${markdown(model)}`
      : markdown(policy);
  const tag = ['sft', 'kto'].find((name) => name === parameters.loss) ?? 'dpo';
  const isOnHub = policy !== null && HUB_NAME.test(policy) && !policy.includes('dpo_model');
  return `---
library_name: ${adapter ? 'peft' : 'transformers'}
tags: [speech-editing, ${tag}, ${architecture.modelType}]
${isOnHub ? `base_model: ${policy.split('@')[0]}\n` : ''}---

# ${directories.name}, iteration ${iteration}

A speech codec language model, which speech-dpo trained on its own samples. Method: ${methodOf(parameters)}. Reward:
${rewarded}.

${adapter ? `${describeAdapter(adapter)}\n` : ''}${architecture.usage ? `${architecture.usage}\n` : ''}## Where it comes from

Started from ${start}. Iterations 0 to ${iteration} of run ${directories.name} trained it, each on the pairs in data_iter_k.json of that run,
${describeReference(parameters)}.

## Rewards

| model | prompts | samples | mean | median | standard deviation | lowest | highest |
| --- | --- | --- | --- | --- | --- | --- | --- |
${rewardRow('at the start', 'train', original)}
${rewardRow('at the start', 'test', original)}
${rewardRow('this one', 'train', trained)}
${rewardRow('this one', 'test', trained)}
${changeSentence(original, trained)}
A reward can be gained in ways it does not see: listen to samples.

## Parameters

| parameter | value |
| --- | --- |
${Object.entries(parameters)
  .map(([name, value]) => `| ${name} | ${markdown(JSON.stringify(value)).replaceAll('|', '\\|')} |`)
  .join('\n')}

Versions: ${versions.join(', ')}. Trained on ${markdown(run.device.description)}.${run.farm ? ' Workers sampled and scored: run.json names them.' : ''}
`;
}

/** What the implicit rewards of an iteration were measured against. */
function describeReference(parameters: Parameters): string {
  if (!namedLoss(parameters).needsReference) return 'by a loss without a reference';
  return {
    start: "with the model at the iteration's start as reference",
    first: "with the model at the run's start as reference",
    moving: 'with a reference that follows the model',
    none: 'without a reference',
  }[parameters.reference];
}

/** How the reward of held-out prompts changed, paired by prompt. */
function changeSentence(original: Evaluation, trained: Evaluation): string {
  const promptMeans = ({ test }: Evaluation) => test.map((samples) => meanOrNull(tally([samples]).rewards));
  const comparison = comparePairs(promptMeans(original), promptMeans(trained));
  if (!comparison) return '';
  const { n, change, interval, effectSize, winRate } = comparison;
  const parts = [
    ...(interval
      ? [
          `95 % interval ${formatNumber(interval.low, 3)} to ${formatNumber(interval.high, 3)} (paired bootstrap over prompts)`,
        ]
      : []),
    ...(effectSize === undefined ? [] : [`effect size d_z ${formatNumber(effectSize)}`]),
    `win rate ${formatNumber(100 * winRate, 0)} %, ties counted half`,
  ];
  return `\nMean reward of ${n} test prompt${n === 1 ? '' : 's'}, this one less the start: ${formatNumber(change, 3)}; ${parts.join('; ')}.\n`;
}

/** How an adapter is opened: what the architecture says of a checkpoint's use holds once it is merged. */
function describeAdapter({ rank, alpha, targets, base }: Adapter): string {
  const of =
    base === 'default' ? 'the policy embedded in speech-dpo (models/default/policy)' : markdown(base);
  return `This is a LoRA adapter (rank ${rank}, alpha ${alpha}, of ${markdown(targets.join(', '))}) as PEFT saves it, and no whole model: it needs
${of}. Every command of speech-dpo opens it as it is. PEFT puts it on that model:

    from peft import PeftModel
    model = PeftModel.from_pretrained(base, "dpo_model")

A whole model of it, in the folder merged, is made by

    npx speech-dpo merge dpo_model --output merged

and opened, in place of dpo_model, as follows.
`;
}

function rewardRow(model: string, split: keyof Evaluation, evaluation: Evaluation): string {
  const { rewards } = tally(evaluation[split]);
  const { count, mean, median, std, min, max } = summarize(rewards);
  const figures = [mean, median, std, min, max].map((value) => formatNumber(value, 3));
  return `| ${[model, split, count, ...figures].join(' | ')} |`;
}

/** A text as Markdown that shows it as it is: as code where it holds what Markdown, HTML or a table's row could read otherwise. */
export function markdown(text: string): string {
  const line = text.replace(/[\p{Cc}\p{Surrogate}\u2028\u2029]/gu, ' ');
  if (!/[\\`*_~[\]<>&#$!]/.test(line)) return line;
  const longest = Math.max(0, ...Array.from(line.matchAll(/`+/g), ([run]) => run.length));
  const fence = '`'.repeat(longest + 1);
  // Blanks keep backticks of the text apart from those around it.
  const blank = line.startsWith('`') || line.endsWith('`') ? ' ' : '';
  return fence + blank + line + blank + fence;
}
