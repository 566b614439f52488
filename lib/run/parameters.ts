import { z } from 'zod';
import { lossNames, namedLoss } from '../dpo/losses/named.js';
import type { PreferenceLoss } from '../dpo/preference-loss.js';
import { pairings } from '../dpo/pair-rules.js';
import { sentenceOf } from '../plain-error.js';
import { stoppingMetrics } from '../train/early-stopping.js';
import { schedules } from '../train/schedule.js';
import { describeIssues } from '../zod-message.js';
import { POLICY_NAMES_AND_DEFAULT } from './names.js';
import { checkRewards, rewardFields } from './reward-parameters.js';

/** What implicit rewards are measured against. */
const referenceNames = ['start', 'first', 'none', 'moving'] as const;

const count = z.number().int().min(1);
/** Most samples of a prompt, and most epochs: each has something of its own in memory. */
export const LARGEST_COUNT = 100_000;
const source = z.string().min(1).nullable().default(null);

/** Every parameter of a run with its unit and default. The command line's options and help are made from this. */
export const parametersSchema = z.strictObject({
  // What is trained on what.
  ...rewardFields,
  model: z
    .string()
    .min(1)
    .default('default')
    .describe('model folder with policy/, nar/, codec/ and prompts.json; "default" is the embedded one'),
  policy: source.describe(
    `checkpoint to start from instead of the model's policy: ${POLICY_NAMES_AND_DEFAULT}`,
  ),
  nar: source.describe(
    "partner that writes codebooks 1 and up, instead of the model's: a folder or a hub name",
  ),
  codec: source.describe(
    "codec to use instead of the model's: a folder or a hub name, for example facebook/encodec_24khz",
  ),
  prompts: source.describe("prompts file to use instead of the model's own"),
  data: source.describe(
    'dataset to take prompts from instead: a .json, .jsonl or .parquet file, a folder of them or a hub name; its first items are trained on, the next ones are held out',
  ),
  instruction: z.string().min(1).nullable().default(null).describe("replaces every prompt's instruction"),
  trainPrompts: count.default(10).describe('prompts to sample and train on, from the first one on'),
  testPrompts: count.default(10).describe('held-out prompts, evaluated only'),

  // The iteration.
  seed: z.number().int().min(0).max(0xffffffff).default(42).describe('everything random comes from it'),
  iterations: count.default(3).describe('rounds of sampling, training and evaluating'),
  sampleSize: z
    .number()
    .int()
    .min(2)
    .max(LARGEST_COUNT)
    .default(10)
    .describe('samples per prompt that a pair is chosen from'),
  pairing: z
    .enum(pairings)
    .default('best-worst')
    .describe(
      "which pairs are made: best-worst, the best samples against the worst; above-margin, every two that differ by minMargin, the largest margins first; or target, the dataset's target against the worst sample",
    ),
  pairsPerPrompt: count
    .default(1)
    .describe(
      'most pairs of a prompt; 1: best against worst sample; 2: also second best against second worst; ...',
    ),
  minMargin: z.number().min(0).default(0).describe('least difference in reward within a pair'),
  minChosen: z
    .number()
    .nullable()
    .default(null)
    .describe('least reward of a chosen sample, on the scale of the reward'),
  dropUniform: z
    .boolean()
    .default(false)
    .describe('make no pairs of prompts whose samples all reach minChosen, or all miss it'),
  guardPairs: z
    .boolean()
    .default(false)
    .describe(
      'forbid pairs whose chosen sample loses on the second opinion score or on fidelity to the edit',
    ),
  guard: z
    .boolean()
    .default(false)
    .describe(
      'measure on held-out samples what the reward does not see: a second opinion score, fidelity, ...',
    ),
  transcriber: z
    .string()
    .min(1)
    .nullable()
    .default(null)
    .describe(
      'recognizer for word errors, of the guard and of the rewards wer and cer: a Whisper model with ONNX weights, a name or a folder; faster-whisper for tiny.en by Python, faster-whisper:MODEL for others; without it, the one that WHISPER_MODEL names',
    ),
  numEval: count.max(LARGEST_COUNT).default(10).describe('samples per prompt in each evaluation'),
  temperature: z.number().positive().default(1).describe('divides the logits before sampling'),
  topK: z.number().int().min(0).default(0).describe('samples only from the k likeliest tokens; 0 is off'),
  topP: z.number().gt(0).max(1).default(1).describe('samples only from the likeliest share; 1 is off'),
  maxNewTokens: count.default(300).describe('longest completion, in tokens'),
  int8: z
    .boolean()
    .default(false)
    .describe(
      'sample, and write the other codebooks, in 8 bits: faster where models are large, and no longer quite the policy that is trained; on the device cpu',
    ),
  reuseEvaluation: z
    .boolean()
    .default(false)
    .describe(
      'make pairs of the samples that the evaluation before drew of the train prompts, numEval of each, in place of sampling and scoring sampleSize anew',
    ),
  syntheticFirstIteration: z
    .boolean()
    .default(false)
    .describe('even-token only: train on random all-even against all-odd tokens instead of samples'),
  keepCheckpoints: z
    .enum(['last', 'best', 'all'])
    .default('all')
    .describe(
      'which checkpoints stay on disk: the last one, the best one by held-out reward, or all; one takes 4 bytes for each weight, with the embedded model 25 MB an iteration',
    ),
  audioPrompts: z
    .number()
    .int()
    .min(0)
    .default(2)
    .describe('prompts of each split whose samples become WAV files'),
  checkpointMinutes: z
    .number()
    .min(0)
    .default(10)
    .describe('minutes of training between the checkpoints that an interrupted run goes on from'),
  tensorboard: z
    .boolean()
    .default(false)
    .describe('write TensorBoard event files to output/MMDD-HHMM/tensorboard as the run goes'),

  // DPO training.
  loss: z
    .string()
    .min(1)
    .default('sigmoid')
    .describe(
      `what pairs are trained by: ${lossNames.join(', ')}; several, with commas between, are added up`,
    ),
  lossWeights: source.describe(
    'weights of several losses, with commas between, for example 1,0.2; each 1 unless given',
  ),
  beta: z.number().positive().default(0.1).describe('strength of the pull to the reference policy'),
  rpoAlpha: z
    .number()
    .min(0)
    .default(0)
    .describe(
      "weight of the chosen samples' negative log-likelihood (RPO), which is the loss sft; 0 adds none",
    ),
  labelSmoothing: z
    .number()
    .min(0)
    .lt(0.5)
    .default(0)
    .describe('share of pairs taken to be the wrong way round, by sigmoid, robust, exo_pair and aot'),
  simpoGamma: z.number().min(0).default(0.5).describe('simpo only: margin that chosen samples should have'),
  rewardScale: z
    .number()
    .positive()
    .default(1)
    .describe('rpo_bwd_kl only: what the difference in reward within a pair is multiplied by'),
  desirableWeight: z.number().positive().default(1).describe('kto only: how much desirable samples count'),
  undesirableWeight: z
    .number()
    .positive()
    .default(1)
    .describe('kto only: how much undesirable samples count'),
  reference: z
    .enum(referenceNames)
    .default('start')
    .describe(
      "policy that training is pulled to: start, the policy at the iteration's start; first, the run's first policy; none; or moving, one that follows the policy (TR-DPO)",
    ),
  referenceSteps: count
    .default(64)
    .describe('moving reference only: optimizer steps between its updates (TR-DPO)'),
  referenceMixup: z
    .number()
    .gt(0)
    .max(1)
    .default(0.6)
    .describe('moving reference only: share of the policy in its weights after an update'),
  learningRate: z
    .number()
    .positive()
    .default(2e-5)
    .describe('of AdamW, at its peak; schedule says how it changes'),
  schedule: z
    .enum(schedules)
    .default('linear')
    .describe(
      'how the learning rate changes in each iteration after its warm-up: linear and cosine fall to 0, constant stays',
    ),
  warmupSteps: z
    .number()
    .min(0)
    .default(0)
    .describe(
      "optimizer steps in which each iteration's learning rate rises from 0 to its peak; below 1: a share of all its steps",
    ),
  epochs: count.max(LARGEST_COUNT).default(3).describe('passes over the pairs in each iteration'),
  batchSize: count.default(4).describe('pairs per forward and backward pass'),
  gradientAccumulationSteps: count.default(1).describe('batches per optimizer step'),
  weightDecay: z
    .number()
    .min(0)
    .default(0)
    .describe(
      "AdamW's: each step multiplies what is trained, except biases and layer norms, by 1 - the step's learning rate · weightDecay; 0 is off",
    ),
  maxGradNorm: z.number().positive().default(1).describe('L2 norm that gradients are clipped to'),
  validationShare: z
    .number()
    .min(0)
    .lt(1)
    .default(0.1)
    .describe('share of pairs kept for validation, by whole prompts where there are several'),
  earlyStopping: z
    .enum(['none', ...stoppingMetrics, 'guard'])
    .default('none')
    .describe(
      'what ends training early: accuracy or loss, of the validation pairs, ends the training of an iteration, with the weights that were best by it; guard, a warning of a guard, ends the run',
    ),
  patience: count
    .default(1)
    .describe(
      'validations without a better accuracy or loss, one in each epoch, after which the training ends',
    ),

  // Adapters.
  loraRank: z
    .number()
    .int()
    .min(0)
    .default(0)
    .describe('trains low-rank adapters (LoRA) of this rank in place of all weights; 0 trains all weights'),
  loraAlpha: z
    .number()
    .positive()
    .default(8)
    .describe("LoRA's alpha: an adapter's term is multiplied by alpha / rank"),
  loraTargets: z
    .string()
    .refine((text) => parseTargets(text).length > 0, 'names no layer')
    .default('q_proj,k_proj,v_proj,out_proj,fc1,fc2')
    .describe(
      "linear layers that get an adapter, by the ends of their names, with commas between (PEFT's target_modules)",
    ),
});

/** All parameters of a run, checked and complete; {@link parseParameters} makes them of those that are given. */
export type Parameters = z.infer<typeof parametersSchema>;

/** What completions are sampled by, beside the seed. */
export const samplingParameters = ['temperature', 'topK', 'topP', 'maxNewTokens'] as const;
export type SamplingParameter = (typeof samplingParameters)[number];

/** The names in `loraTargets`, each once. */
export function parseTargets(text: string): string[] {
  const names = text.split(',').map((name) => name.trim());
  return [...new Set(names.filter((name) => name !== ''))];
}

/**
 * Checks parameters and fills in defaults.
 *
 * @throws Error in one sentence naming every wrong or unknown parameter
 */
export function parseParameters(
  input: Partial<Parameters> | NonNullable<unknown> | null | undefined,
): Parameters {
  const result = parametersSchema.safeParse(input);
  if (!result.success) throw new Error(`wrong parameters: ${describeIssues(result.error)}`);
  if (result.data.syntheticFirstIteration && result.data.reward !== 'even-token') {
    throw new Error(
      `wrong parameters: syntheticFirstIteration works with the even-token reward only, not with ${result.data.reward}`,
    );
  }
  const contradiction = findContradiction(result.data);
  if (contradiction) throw new Error(`wrong parameters: ${contradiction}`);
  checkRewards(result.data);
  if (result.data.prompts !== null && result.data.data !== null) {
    throw new Error('wrong parameters: prompts and data both say which prompts to use; give one of them');
  }
  try {
    checkReference(result.data, namedLoss(result.data));
  } catch (error) {
    throw new Error(`wrong parameters: ${sentenceOf(error)}`, { cause: error });
  }
  return result.data;
}

/** @throws Error in one sentence for a reference that the loss would not look at */
function checkReference({ loss, reference }: Parameters, { needsReference }: PreferenceLoss): void {
  if (needsReference || reference === 'start' || reference === 'none') return;
  const subject = loss.includes(',') ? `the losses ${loss} have` : `the loss ${loss} has`;
  throw new Error(
    `${subject} no reference, so that reference ${reference} would change nothing: leave it out, or take a loss with a reference, as sigmoid`,
  );
}

/** What of a run's pairs and its early stopping does not go together, as a sentence. */
function findContradiction(parameters: Parameters): string | undefined {
  const { pairing, minChosen, dropUniform, syntheticFirstIteration } = parameters;
  const { reuseEvaluation, sampleSize, numEval, earlyStopping, validationShare } = parameters;
  if (dropUniform && minChosen === null)
    return 'dropUniform needs minChosen, the reward that tells good samples from bad ones';
  if (dropUniform && pairing === 'target')
    return 'dropUniform compares samples with one another, and pairing target compares them with the target; give one of them';
  if (syntheticFirstIteration && pairing !== 'best-worst')
    return `syntheticFirstIteration makes pairs up, so that pairing ${pairing} has no say; give one of them`;
  if (syntheticFirstIteration && reuseEvaluation)
    return 'syntheticFirstIteration makes pairs up, and reuseEvaluation makes them of evaluated samples; give one of them';
  if (reuseEvaluation && sampleSize !== numEval)
    return `reuseEvaluation makes pairs of the samples that are evaluated, so that sampleSize ${sampleSize} and numEval ${numEval} have to be the same number`;
  if ((earlyStopping === 'accuracy' || earlyStopping === 'loss') && validationShare === 0)
    return `earlyStopping ${earlyStopping} needs a validationShare above 0: without validation pairs nothing is validated`;
  if (earlyStopping === 'accuracy' && parameters.loss.includes('kto'))
    return 'earlyStopping accuracy needs pairs, and the loss kto takes samples one by one: take earlyStopping loss';
  return undefined;
}
