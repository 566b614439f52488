import { afterAll, expect, it, vi } from 'vitest';
import { CpuDevice } from '../../lib/engine/index.js';
import { bart } from '../../lib/policy/bart/bart.js';
import { openPartnerPrograms } from '../../lib/policy/partner-programs.js';
import { randomPolicy } from '../support/random-policy.js';

const device = new CpuDevice();
afterAll(() => device.close());

it('holds 32 programs at most, those used last, and none in the end', async () => {
  const [created, called] = [vi.spyOn(device, 'load'), vi.spyOn(device, 'call')];
  const open = () =>
    created.mock.calls.length - called.mock.calls.filter(([method]) => method === 'releaseSession').length;
  const programs = openPartnerPrograms(
    { ...randomPolicy(4, { codebooks: 2, codebookSize: 4 }), network: bart.partner! },
    device,
  );
  const compile = (targetLength: number) => programs.decoder({ rows: 1, sourceLength: 4, targetLength });
  for (let length = 1; length <= 32; length++) await compile(length);
  expect(open()).toBe(32);
  await compile(1);
  for (const length of [33, 34]) await compile(length);
  expect(created).toHaveBeenCalledTimes(34);
  expect(open()).toBe(32);
  await compile(1);
  expect(created).toHaveBeenCalledTimes(34);
  await compile(2);
  expect(created).toHaveBeenCalledTimes(35);
  await programs.dispose();
  expect(open()).toBe(0);
  vi.restoreAllMocks();
});
