/** A partner that has fewer positions than its policy: what it cannot read or write is known before anything is sampled. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { readWav, writeWav } from '../../lib/audio/wav.js';
import { editRecording, evaluateCheckpoint, parseParameters, runExperiment } from '../../lib/index.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { writeTinyModel } from '../support/tiny-model.js';

const POSITIONS = 50;
const FRAMES_PER_SECOND = 50;

async function shortPartner(): Promise<string> {
  const model = temporaryFolder();
  await writeTinyModel(model, POSITIONS);
  return join(model, 'nar');
}

async function edit(seconds: number, nar: string) {
  const folder = temporaryFolder();
  const [wav, output] = [join(folder, 'tone.wav'), join(folder, 'edited.wav')];
  const tone = Float32Array.from({ length: 16_000 * seconds }, (_, i) => Math.sin(i / 20));
  await writeWav(wav, tone, 16_000);
  const sampling = { seed: 1, temperature: 1, maxNewTokens: 200 };
  return { output, edited: editRecording({ ...sampling, wav, output, nar, instruction: 'Make it slower.' }) };
}

it('an edit is as long as the partner can write, and says so', async () => {
  const { output, edited } = await edit(0.6, await shortPartner());
  const resultSeconds = POSITIONS / FRAMES_PER_SECOND;
  expect(await edited).toEqual({ sourceSeconds: 0.6, resultSeconds, cutBy: 'model' });
  const { channels, sampleRateHz } = await readWav(output);
  expect(channels[0].length / sampleRateHz).toBe(resultSeconds);
});

it('a recording to edit is refused that the partner cannot read, with the limit in seconds', async () => {
  const { output, edited } = await edit(1.5, await shortPartner());
  await expect(edited).rejects.toThrow(
    /tone\.wav lasts 1\.50 s, and with this instruction the model edits at most 0\.[789]\d s: /,
  );
  expect(existsSync(output)).toBe(false);
});

it('a run and an evaluation are refused whose prompts it cannot read, and write nothing', async () => {
  const root = temporaryFolder();
  const parameters = parseParameters({ reward: 'silence', nar: await shortPartner() });
  const refusal =
    /^t\w+ prompt 0: the partner \(nar\) reads at most \d\d frames with the instruction ".+", and this recording has \d+: /;
  await expect(runExperiment(parameters, { root }).next()).rejects.toThrow(refusal);
  const evaluation = { split: 'test', indices: [0], samplesPerPrompt: 1, iteration: 0, root } as const;
  await expect(evaluateCheckpoint(parameters, evaluation).next()).rejects.toThrow(refusal);
  expect(readdirSync(root)).toEqual([]);
});
