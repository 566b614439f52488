/** speech-dpo's side: the same calls that an experiment makes. */
import type { Device } from '../lib/engine/index.js';
import { bart } from '../lib/policy/bart/bart.js';
import type { BartConfig } from '../lib/policy/bart/config.js';
import { LOGITS_BIAS } from '../lib/policy/bart/weights.js';
import type { Model } from '../lib/policy/architecture.js';
import { trainDpo, type PreferencePair } from '../lib/dpo/trainer.js';
import { seededChoice } from '../lib/policy/decode-loop.js';
import { openCompletionWriter } from '../lib/policy/generate.js';
import { uniformStream } from '../lib/random.js';
import type { Setting } from './setting.js';

/** Codes of one codebook and eos: what a policy may write (lib/policy/sample.ts). */
const CODES = 1024;

/** Random weights by which no completion ends early: all have the full length. */
function randomModel({ model }: Setting): Model<BartConfig> {
  const config = bart.parseConfig({ model_type: 'bart', ...model }, 'bench/setting.ts');
  const weights = bart.initialize(config, 0);
  weights.get(LOGITS_BIAS)!.data[config.eos_token_id] = -1e9;
  return { architecture: bart, config, weights };
}

/** `<s>` ... `</s>` of `length` random ids. */
function randomIds(config: BartConfig, length: number, key: number): number[] {
  const uniform = uniformStream(key);
  const inner = Array.from({ length: length - 2 }, () => 5 + Math.floor(uniform() * (config.vocab_size - 5)));
  return [config.bos_token_id, ...inner, config.eos_token_id];
}

/** Samples completions of prompts at once. Both graphs are compiled in the first call, and kept as in an iteration. */
export function sampling(
  setting: Setting,
  device: Device,
  { prompts, completions, int8 = false }: { prompts: number; completions: number; int8?: boolean },
): () => Promise<void> {
  const { completionLength, promptLength, topK } = setting;
  const model = randomModel(setting);
  const firstCode = model.config.vocab_size - CODES;
  const allowed = Int32Array.from({ length: CODES + 1 }, (_, i) =>
    i < CODES ? firstCode + i : model.config.eos_token_id,
  );
  const writer = openCompletionWriter(model, { prefix: [], allowed }, device, { int8 });
  const rows = prompts * completions;
  const keys = Array.from({ length: rows }, (_, row) => [0, row]);
  const read = Array.from({ length: prompts }, (_, prompt) => randomIds(model.config, promptLength, prompt));
  return async () => {
    const steps = writer.generate(read, {
      samplesPerPrompt: completions,
      maxNewTokens: completionLength,
      choose: { rules: { temperature: 1, topK, topP: 1 }, keys },
    });
    let tokens = 0;
    for await (const { ended } of steps) for (const { ids } of ended) tokens += ids.length;
    if (tokens !== rows * completionLength)
      throw new Error(`${tokens} tokens instead of ${rows * completionLength}`);
  };
}

/** Chooses a token for each of `rows` rows of random logits: what a step of sampling does between two runs. */
export function choosing({ topK }: Setting, rows: number): () => Promise<void> {
  const uniform = uniformStream(1);
  const logits = Float32Array.from({ length: rows * (CODES + 1) }, () => 10 * uniform());
  const keys = Array.from({ length: rows }, (_, row) => [0, row]);
  const choose = seededChoice({ rules: { temperature: 1, topK, topP: 1 }, keys });
  return async () => {
    for (let row = 0; row < rows; row++)
      choose(row, logits.subarray(row * (CODES + 1), (row + 1) * (CODES + 1)));
  };
}

/**
 * Training steps on `batchSize` pairs each; every call takes the next one. The first also computes the reference's log-probabilities of all
 * pairs, which TRL does in each step, and compiles.
 */
export function dpoSteps(setting: Setting, device: Device, steps: number): () => Promise<void> {
  const { completionLength, promptLength, batchSize } = setting;
  const model = randomModel(setting);
  const ids = (length: number, key: number) => randomIds(model.config, length, key);
  const pairs: PreferencePair[] = Array.from({ length: setting.pairs }, (_, i) => ({
    prompt: ids(promptLength, 3 * i),
    chosen: ids(completionLength, 3 * i + 1),
    rejected: ids(completionLength, 3 * i + 2),
  }));
  const events = trainDpo(model, pairs, {
    device,
    beta: setting.beta,
    learningRate: setting.learningRate,
    epochs: Math.ceil((steps * batchSize) / pairs.length),
    batchSize,
    keepsWeights: false,
    seed: 0,
  });
  return async () => {
    if ((await events.next()).done) throw new Error(`training ended after ${steps} steps`);
  };
}
