import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { lossNames } from '../../lib/dpo/losses/named.js';
import { readLossesGoldens, verifyLosses } from '../../lib/verify/losses.js';
import { verify } from '../../lib/verify/verify.js';
import { device } from '../support/device.js';

const GOLDEN = join(import.meta.dirname, '../fixtures/golden/losses');
const goldens = await readLossesGoldens(GOLDEN);

describe('losses', () => {
  it.each(goldens.map((golden) => [golden.trl, golden] as const))(
    'are those of TRL %s, with gradients and metrics',
    async (_, golden) => {
      const rows = await verifyLosses(golden, device);
      expect(rows.filter(({ pass }) => !pass)).toEqual([]);
      expect(rows).toHaveLength(3 * golden.losses.length);
    },
  );

  it('are compared, each that TRL has', () => {
    const compared = goldens.flatMap(({ losses }) => losses.map(({ loss }) => loss));
    // NeMo's, which TRL lacks.
    expect(lossNames.filter((name) => !compared.includes(name))).toEqual(['rpo_bwd_kl']);
  });

  it('are all that verify compares in a folder of them', async () => {
    const { rows } = await verify(GOLDEN, { device });
    expect(rows).toHaveLength(3 * goldens.reduce((sum, { losses }) => sum + losses.length, 0));
    expect(rows.every(({ pass }) => pass)).toBe(true);
  });

  it('and a folder without reference values is refused in a sentence, also where it is that of a model', async () => {
    await expect(verify('models/default/policy', { device })).rejects.toThrow(
      'models/default/policy holds no reference values, neither of a model (tiny_bart/) nor of losses (losses_trl_VERSION.json): ' +
        'give a folder that scripts/reference/make.py made.',
    );
    await expect(verify('nowhere', { device })).rejects.toThrow('nowhere does not exist: give a folder');
  });

  it('fail where a loss differs', async () => {
    const [{ losses, ...numbers }] = goldens;
    const [entry] = losses;
    const wrong = { ...entry, settings: { ...entry.settings, labelSmoothing: 0.11 } };
    const rows = await verifyLosses({ ...numbers, losses: [wrong] }, device);
    expect(rows.map(({ pass }) => pass)).toEqual([false, false, true]);
  });
});
