/** speech-dpo's side: the same calls that an experiment makes. */
import { CpuDevice } from '../lib/engine/index.js';
import { bart } from '../lib/policy/bart/bart.js';
import { LOGITS_BIAS } from '../lib/policy/bart/weights.js';
import { trainDpo, type PreferencePair } from '../lib/dpo/trainer.js';
import { openCompletionWriter } from '../lib/policy/generate.js';
import { uniformStream } from '../lib/random.js';
import { setting } from './setting.js';

const device = new CpuDevice();

/** Codes of one codebook and eos: what a policy may write (lib/policy/sample.ts). */
const CODES = 1024;

const config = bart.parseConfig({ model_type: 'bart', ...setting.model }, 'bench/setting.ts');
const weights = bart.initialize(config, 0);
/** No completion ends early: all have the full length. */
weights.get(LOGITS_BIAS)!.data[config.eos_token_id] = -1e9;

/** `<s>` ... `</s>` of `length` random ids. */
function randomIds(length: number, key: number): number[] {
  const uniform = uniformStream(key);
  const inner = Array.from({ length: length - 2 }, () => 5 + Math.floor(uniform() * (config.vocab_size - 5)));
  return [config.bos_token_id, ...inner, config.eos_token_id];
}

const firstCode = config.vocab_size - CODES;
/** Open as in an experiment: compiled once for an iteration's evaluations and samples, in the warm-up here. */
const writer = openCompletionWriter(
  { architecture: bart, config, weights },
  {
    prefix: [],
    allowed: Int32Array.from({ length: CODES + 1 }, (_, i) =>
      i < CODES ? firstCode + i : config.eos_token_id,
    ),
  },
  device,
);

/** Samples completions of one prompt at once. */
export async function sampleCompletions(completions: number): Promise<void> {
  const { completionLength, promptLength, topK } = setting;
  const keys = Array.from({ length: completions }, (_, row) => [0, row]);
  const steps = writer.generate([randomIds(promptLength, 0)], {
    samplesPerPrompt: completions,
    maxNewTokens: completionLength,
    choose: { rules: { temperature: 1, topK, topP: 1 }, keys },
  });
  let tokens = 0;
  for await (const { ended } of steps) for (const { ids } of ended) tokens += ids.length;
  if (tokens !== completions * completionLength)
    throw new Error(`${tokens} tokens instead of ${completions * completionLength}`);
}

/**
 * Training steps on one pair each; every call takes the next one. The first also computes the reference's log-probabilities of
 * `steps` pairs, which TRL does in each step, and compiles.
 */
export function dpoSteps(steps: number): () => Promise<void> {
  const { completionLength, promptLength } = setting;
  const pairs: PreferencePair[] = Array.from({ length: setting.pairs }, (_, i) => ({
    prompt: randomIds(promptLength, 3 * i),
    chosen: randomIds(completionLength, 3 * i + 1),
    rejected: randomIds(completionLength, 3 * i + 2),
  }));
  const events = trainDpo({ architecture: bart, config, weights: new Map(weights) }, pairs, {
    device,
    beta: setting.beta,
    learningRate: setting.learningRate,
    epochs: Math.ceil(steps / pairs.length),
    batchSize: 1,
    gradientAccumulationSteps: 1,
    maxGradNorm: 1,
    validationShare: 0,
    seed: 0,
  });
  return async () => {
    if ((await events.next()).done) throw new Error(`training ended after ${steps} steps`);
  };
}
