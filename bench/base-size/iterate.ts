/**
 * One DPO iteration of `speech-dpo mos` on what make.py wrote, and the most memory it took:
 *
 *     node dist/bench/base-size/iterate.js FOLDER OUTPUT [options of mos]
 */
import { join } from 'node:path';
import { main } from '../../lib/cli/main.js';
import { createProgram } from '../../recipes/program.js';

const [folder, output, options] = createProgram(
  'node dist/bench/base-size/iterate.js',
  'one DPO iteration of speech-dpo mos, and the most memory it took',
)
  .argument('<folder>', 'what make.py wrote')
  .argument('<output>', 'folder to write to')
  .argument('[options...]', 'of mos')
  .passThroughOptions()
  .parse().processedArgs as [string, string, string[]];

const SMALL =
  '--train-prompts 4 --test-prompts 1 --iterations 1 --sample-size 6 --num-eval 1 --max-new-tokens 200 --epochs 1 ' +
  '--batch-size 1 --pairs-per-prompt 1 --min-margin 0 --audio-prompts 0 --learning-rate 1e-6';
const parts = [
  ['--policy', 'policy'],
  ['--nar', 'nar'],
  ['--codec', 'tiny_encodec'],
  ['--data', 'items.jsonl'],
].flatMap(([option, name]) => [option, join(folder, name)]);

process.exitCode = await main(
  ['mos', ...parts, '--output', output, ...SMALL.split(' '), ...options],
  new AbortController().signal,
);
console.log(`peak memory: ${(process.resourceUsage().maxRSS / 1e6).toFixed(2)} GB`);
