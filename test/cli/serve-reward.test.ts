/** `speech-dpo serve-reward` with a reward of a person's own in TypeScript, which lies outside of every package. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { askReward } from '../../lib/reward/ask.js';
import { rewardAt } from '../../lib/reward/from-address.js';
import { runCommand, runScript } from '../support/library-process.js';
import { temporaryFolder } from '../support/temporary-folder.js';

/** Throws the class of the package that runs it, types and a file beside it included. */
function writeReward(): string {
  const folder = temporaryFolder();
  writeFileSync(
    join(folder, 'peak.ts'),
    `export const peak = (samples: Float32Array): number => samples.reduce((a, b) => Math.max(a, b), 0);\n`,
  );
  const file = join(folder, 'loud.ts');
  writeFileSync(
    file,
    `import { rewardOf, UnscorableSample, type Sample } from 'speech-dpo';
import { peak } from './peak.ts';
export default rewardOf('loud', 'peak (0 to 1)', async ({ audio }: Sample): Promise<number> => {
  const value = peak((await audio()).samples);
  if (value === 0) throw new UnscorableSample('it is silent');
  return value;
});
`,
  );
  return file;
}

it('prints its address, scores by a TypeScript file, and ends on Ctrl-C', async () => {
  const { child, ended } = runCommand(['serve-reward', writeReward(), '--port', '0']);
  const line = await new Promise<string>((resolve, reject) => {
    child.stdout.on('data', resolve);
    void ended.then(({ stderr }) => reject(new Error(stderr)));
  });
  const [, address] = /^serves loud, peak \(0 to 1\), at (http:\/\/127\.0\.0\.1:\d+); Ctrl-C/.exec(line)!;
  const reward = await rewardAt(address);
  expect(reward).toMatchObject({ name: 'served-loud', label: 'peak (0 to 1)' });
  const samples = [0.5, 0].map((value) => ({
    item: { src_encodec: [[1]], instruction: 'a', tgt_encodec: [[1]] },
    codes: [1],
    audio: async () => ({ samples: Float32Array.of(value, -value), sampleRateHz: 8000 }),
  }));
  expect(await askReward(reward, samples)).toEqual([
    { reward: 0.5, details: {} },
    { dropped: 'it is silent' },
  ]);
  child.kill('SIGINT');
  expect(await ended).toMatchObject({ code: 0, stderr: '' });
});

it('refuses a reward that needs more than sound, and a port that is none', async () => {
  expect(await runCommand(['serve-reward', 'length']).ended).toMatchObject({
    code: 2,
    stderr:
      'error: the reward length cannot be served: it does not listen, and an audio scorer is sent sound\n',
  });
  expect(await runCommand(['serve-reward', 'length', '--port', '70000']).ended).toMatchObject({
    code: 2,
    stderr: 'error: --port is 70000; it must be a whole number from 0 to 65535\n',
  });
});

it('names the line of a mistake in a TypeScript file', async () => {
  const file = join(temporaryFolder(), 'bad.ts');
  writeFileSync(file, 'const ok: number = 1;\nexport default {{ name: 3 };\n');
  const { stdout } = await runScript(`
    const { loadReward } = await library('reward/load.js');
    await loadReward(${JSON.stringify(file)}).catch((error) => console.log(error.message));
  `).ended;
  const line = 'typescript' in process.features ? '' : `line 2 of ${file}: `;
  expect(stdout).toContain(`${file} cannot be loaded: ${line}`);
});
