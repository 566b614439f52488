/**
 * speech-dpo's side of one point of `npm run bench -- --growth`, in a process of its own, so that its memory is that of one call alone.
 * Answers like the peers (bench/peers/peer.py).
 *
 *     node dist/bench/growth-point.js SETTING step STEPS
 *     node dist/bench/growth-point.js SETTING sampling COMPLETIONS
 */
import { createInterface } from 'node:readline';
import { CpuDevice } from '../lib/engine/index.js';
import { dpoSteps, sampling } from './ours.js';
import type { Setting } from './setting.js';

const [setting, call, count] = process.argv.slice(2);
const device = new CpuDevice();
const run = { step: dpoSteps, sampling }[call]!(JSON.parse(setting) as Setting, device, Number(count));
console.log(JSON.stringify({}));
for await (const _ of createInterface({ input: process.stdin })) {
  const start = performance.now();
  await run();
  console.log(JSON.stringify({ seconds: (performance.now() - start) / 1000 }));
}
await device.close();
