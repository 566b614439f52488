import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bart } from '../../lib/policy/bart/bart.js';
import { parseBartConfig } from '../../lib/policy/bart/config.js';
import type { Codec } from '../../lib/codec/codec.js';
import type { DatasetItem } from '../../lib/data/item.js';
import { createRunDirectories } from '../../lib/run/directories.js';
import { parseParameters } from '../../lib/run/parameters.js';
import type { Run } from '../../lib/experiment/run.js';
import { createWorkClock } from '../../lib/run/work-clock.js';
import { initializeWeights } from '../../lib/policy/bart/initialize.js';
import type { Partner } from '../../lib/policy/partner.js';
import { packPrompt } from '../../lib/policy/pack.js';
import type { Policy } from '../../lib/policy/policy.js';
import { savePretrained } from '../../lib/policy/pretrained.js';
import { openSampler } from '../../lib/policy/sample.js';
import { evenTokenReward } from '../../lib/reward/even-token.js';
import { device } from '../support/device.js';

const CODEBOOKS = 2;
const CODEBOOK_SIZE = 8;
const FIRST_CODE_ID = 8;

/** A run small enough for tests: a random policy of one layer, prompts of three frames, a codec of eight codes that hums. */
export async function createTinyRun(parameters: Record<string, unknown> = {}): Promise<Run> {
  const root = await mkdtemp(join(tmpdir(), 'speech-dpo-'));
  const policy = await createPolicy(join(root, 'tiny-policy'));
  const items = Array.from({ length: 4 }, (_, index) => createItem(index));
  const pack = (item: DatasetItem, index: number) => ({
    index,
    item,
    ids: packPrompt(policy, item.instruction, item.src_encodec[0]),
  });
  return {
    parameters: parseParameters({
      iterations: 2,
      trainPrompts: 2,
      testPrompts: 2,
      sampleSize: 4,
      numEval: 2,
      maxNewTokens: 6,
      audioPrompts: 1,
      epochs: 1,
      batchSize: 2,
      learningRate: 1e-2,
      ...parameters,
    }),
    directories: await createRunDirectories(root, new Date(2024, 5, 1, 12, 0)),
    device,
    policy,
    sampler: openSampler(policy, device),
    clock: createWorkClock(),
    partner: silentPartner,
    codec: humCodec,
    reward: evenTokenReward,
    guards: [],
    notices: [],
    train: items.slice(0, 2).map(pack),
    test: items.slice(2).map(pack),
  };
}

const silentPartner: Partner = {
  maxFrames: 100,
  longestSource: () => 100,
  fill: async (items) => items.map(({ codebook0 }) => [codebook0.map(() => 0)]),
  releaseWeights: async () => undefined,
  dispose: async () => undefined,
};

const humCodec: Codec = {
  sampleRateHz: 8000,
  frameRateHz: 50,
  codebooks: CODEBOOKS,
  codebookSize: CODEBOOK_SIZE,
  encode: () => Promise.reject(new Error('a run must not encode')),
  decode: async (codes) => {
    if (codes.length !== CODEBOOKS) throw new Error(`${codes.length} codebooks`);
    return Float32Array.from({ length: codes[0].length * 160 }, (_, i) => Math.sin(i * codes[0][0]) / 2);
  },
  dispose: async () => undefined,
};

function createItem(index: number): DatasetItem {
  const codes = [
    [index, index + 1, index + 2],
    [1, 2, 3],
  ];
  const target = codes.map(([first, second, third]) => [first, third, second]);
  return { src_encodec: codes, instruction: 'Faster', tgt_encodec: target };
}

async function createPolicy(directory: string): Promise<Policy> {
  const config = parseBartConfig(
    {
      model_type: 'bart',
      vocab_size: FIRST_CODE_ID + CODEBOOKS * CODEBOOK_SIZE,
      max_position_embeddings: 16,
      d_model: 8,
      encoder_layers: 1,
      encoder_attention_heads: 2,
      encoder_ffn_dim: 16,
      decoder_layers: 1,
      decoder_attention_heads: 2,
      decoder_ffn_dim: 16,
    },
    'tiny config',
  );
  const model = { architecture: bart, config, weights: initializeWeights(config, 1) };
  // Runs read their first policy again, and copy the tokenizer's files.
  await savePretrained(directory, model);
  await writeFile(join(directory, 'tokenizer.json'), '{}');
  return {
    ...model,
    directory,
    tokenizer: {
      codebooks: CODEBOOKS,
      codebookSize: CODEBOOK_SIZE,
      firstCodeId: FIRST_CODE_ID,
      encodeText: () => [4],
      codeId: (codebook, code) => FIRST_CODE_ID + codebook * CODEBOOK_SIZE + code,
    },
  };
}
