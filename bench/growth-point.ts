/**
 * speech-dpo's side of one point of `npm run bench -- --growth`, in a process of its own, so that its memory is that of one call alone.
 *
 *     node dist/bench/growth-point.js SETTING step STEPS
 *     node dist/bench/growth-point.js SETTING sampling COMPLETIONS
 */
import { CpuDevice } from '../lib/engine/index.js';
import { answerRequests } from './answer.js';
import { dpoSteps, sampling } from './ours.js';
import type { Setting } from './setting.js';

const [json, call, number] = process.argv.slice(2);
const setting = JSON.parse(json) as Setting;
const count = Number(number);
const device = new CpuDevice();
await answerRequests(
  call === 'step'
    ? dpoSteps(setting, device, count)
    : sampling(setting, device, { prompts: 1, completions: count }),
);
await device.close();
