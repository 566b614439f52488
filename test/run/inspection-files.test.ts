import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { keepBatch } from '../../lib/run/inspection-files.js';
import type { PreferenceRow } from '../../lib/run/data-file.js';
import { temporaryFolder } from '../support/temporary-folder.js';

const rowOf = (code: number): PreferenceRow => ({
  instruction: `Instruction ${code}`,
  source: [code],
  chosen: [code + 1],
  rejected: [code + 2],
  ...{ chosenReward: 1, rejectedReward: 0, averageReward: 0.5 },
  details: {},
});
const DIVERGED = { type: 'diverged', epoch: 1, step: 7, reason: 'the loss is NaN' } as const;
const rows = [rowOf(10), rowOf(20), rowOf(30)];

it('keeps each pair of a batch that diverged with its own figures', async () => {
  const path = await keepBatch(temporaryFolder(), 2, rows, {
    ...DIVERGED,
    pairs: [2, 0],
    logps: [-1, -2, -3, NaN],
    referenceLogps: [-5, -6, -7, -8],
  });
  expect(path).toMatch(/diverged_iter_2\.json$/);
  const prompt = (code: number) => `<s>Instruction ${code}</s>v_tok_${code}</s>`;
  expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual({
    ...{ iteration: 2, epoch: 1, step: 7, reason: 'the loss is NaN' },
    pairs: [
      {
        ...{ index: 2, prompt: prompt(30), chosen: 'v_tok_31', rejected: 'v_tok_32' },
        ...{ logps: ['-1', '-2'], reference_logps: ['-5', '-6'] },
      },
      {
        ...{ index: 0, prompt: prompt(10), chosen: 'v_tok_11', rejected: 'v_tok_12' },
        ...{ logps: ['-3', 'NaN'], reference_logps: ['-7', '-8'] },
      },
    ],
  });
});

it('keeps each single sample with its own figures, and those of what it is compared with', async () => {
  const path = await keepBatch(temporaryFolder(), 0, rows, {
    ...DIVERGED,
    ...{ pairs: [1, 1], desirable: [true, false] },
    logps: [-1, -2, -3, -4],
    referenceLogps: [-5, -6, -7, -8],
  });
  const content = JSON.parse(readFileSync(path, 'utf8')) as { samples: object[] };
  const where = { index: 1, prompt: '<s>Instruction 20</s>v_tok_20</s>' };
  expect(content.samples).toEqual([
    {
      ...{ ...where, desirable: true, completion: 'v_tok_21', logp: '-1', reference_logp: '-5' },
      ...{ mismatched_logp: '-2', mismatched_reference_logp: '-6' },
    },
    {
      ...{ ...where, desirable: false, completion: 'v_tok_22', logp: '-3', reference_logp: '-7' },
      ...{ mismatched_logp: '-4', mismatched_reference_logp: '-8' },
    },
  ]);
});
