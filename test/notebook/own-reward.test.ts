/** A reward of a person's own in the cells of a notebook: in the kernel, with no more lines than a cell has. */
import { readdirSync, readFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { readRunFiles } from '../support/interrupted-run.js';
import { startKernel, type Answer } from '../support/kernel.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { writeTinyModel } from '../support/tiny-model.js';

const stdoutOf = ({ published }: Answer) =>
  published
    .filter(({ type, content }) => type === 'stream' && content.name === 'stdout')
    .map(({ content }) => content.text)
    .join('');

/** Everything shown below a cell, as text. */
const shownBelow = ({ published }: Answer) =>
  published
    .filter(({ type }) => type === 'display_data' || type === 'update_display_data')
    .map(({ content }) => JSON.stringify(content.data))
    .join('\n');

it('takes ten lines, with progress, evaluation, charts and a report; stops, and goes on after a restart', async () => {
  const folder = temporaryFolder();
  const model = join(folder, 'model');
  await writeTinyModel(model);
  const settings = (root: string) =>
    JSON.stringify({
      ...{
        model,
        iterations: 2,
        trainPrompts: 2,
        testPrompts: 1,
        audioPrompts: 0,
        sampleSize: 3,
        numEval: 3,
      },
      ...{ maxNewTokens: 30, epochs: 2, seed: 7 },
    }) + `), { root: '${join(folder, root)}', reward }`;
  const define = `import { openRun, parseParameters, resumeRun, rewardCurves, rewardOf, show, writeReport } from '../lib';
const reward = rewardOf('restless', 'codes that differ', ({ codes }) =>
  codes.filter((code, i) => code !== codes[i - 1]).length, { listens: false });`;
  const cell = `${define}
const run = await openRun(parseParameters(${settings('whole')});
await run.evaluateOriginal();
await run.iterate();
show(rewardCurves(run.events, run.rewardLabel));
console.log(await writeReport(run.outputDirectory));`;
  expect(cell.split('\n').length).toBeLessThanOrEqual(10);

  const kernel = await startKernel();
  try {
    const whole = await kernel.execute(cell);
    expect(whole.reply).toMatchObject({ status: 'ok' });
    expect(shownBelow(whole)).toContain('original policy, held-out prompts: reward');
    expect(shownBelow(whole)).toContain('codes that differ');
    const report = stdoutOf(whole).trim();
    expect(readFileSync(report, 'utf8')).toContain('DPO by the reward restless');

    await kernel.execute(`const stopped = await openRun(parseParameters(${settings('stopped')});`);
    const running = kernel.execute('await stopped.iterate();');
    const directory = join(folder, 'stopped', 'model_output');
    const [name] = readdirSync(directory);
    while (!existsSync(join(directory, name, 'iter_0', 'dpo_model'))) await sleep(20);
    kernel.interrupt();
    const answer = await running;
    expect(answer.reply.status).toBe('error');
    expect(shownBelow(answer)).toContain(`openRecorded('${name}', { reward })`);
  } finally {
    await kernel.close();
  }

  const restarted = await startKernel();
  try {
    const [name] = readdirSync(join(folder, 'stopped', 'model_output'));
    const resume = (options: string) =>
      restarted.execute(
        `const again = await resumeRun('${name}', { root: '${join(folder, 'stopped')}'${options} });\nawait again.iterate();`,
      );
    await restarted.execute(define);
    expect((await resume('')).reply).toMatchObject({
      ...{ status: 'error', ename: 'Error' },
      evalue: expect.stringContaining('is scored by a reward of its own, restless; give it again'),
    });
    const other = await resume(", reward: { ...reward, name: 'restful' }");
    expect(other.reply.evalue).toContain('is scored by the reward restless, not by restful');
    expect((await resume(', reward')).reply).toMatchObject({ status: 'ok' });
  } finally {
    await restarted.close();
  }
  expect(readRunFiles(join(folder, 'stopped'))).toEqual(readRunFiles(join(folder, 'whole')));
});
