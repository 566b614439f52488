/**
 * Ten completions of 1,022 tokens, the longest there are, by the policy that make.py wrote, and the most memory that took:
 *
 *     node dist/bench/base-size/sample.js FOLDER
 */
import { CpuDevice } from '../../lib/engine/index.js';
import { join } from 'node:path';
import { LOGITS_BIAS } from '../../lib/policy/bart/weights.js';
import { loadPolicy } from '../../lib/policy/policy.js';
import { openSampler } from '../../lib/policy/sample.js';
import { createProgram } from '../../recipes/program.js';

const device = new CpuDevice();

const PROMPT_IDS = 512;
const RULES = { temperature: 1, topK: 0, topP: 1 };

const [folder] = createProgram(
  'node dist/bench/base-size/sample.js',
  'ten completions of 1,022 tokens, and the most memory that took',
)
  .argument('<folder>', 'what make.py wrote')
  .parse().processedArgs as [string];
const policy = await loadPolicy(join(folder, 'policy'));
const { config, tokenizer, weights } = policy;
// No completion ends early.
weights.get(LOGITS_BIAS)!.data[config.eos_token_id] = -1e9;
const codes = Array.from({ length: PROMPT_IDS - 2 }, (_, i) => tokenizer.codeId(0, (7919 * i) % 1024));
const prompt = [config.bos_token_id, ...codes, config.eos_token_id];
const sampler = openSampler(policy, device);
const startMs = performance.now();
let tokens = 0;
const options = { samplesPerPrompt: 10, maxNewTokens: 1022, seed: 1, ...RULES };
for await (const event of sampler.sample([prompt], options)) {
  if (event.type === 'completion') tokens += event.codes.length;
}
await sampler.release();
const seconds = ((performance.now() - startMs) / 1000).toFixed(0);
const peakGigabytes = (process.resourceUsage().maxRSS / 1e6).toFixed(2);
console.log(`${tokens} tokens in ${seconds} s, peak memory ${peakGigabytes} GB`);
