import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { findPackageRoot } from '../../lib/package-root.js';

it('npm run weights makes ready what it is asked for, and says which metrics there are where it is asked for none of them', () => {
  const script = join(findPackageRoot(), 'scripts', 'weights.mjs');
  const { stdout, stderr, status } = spawnSync(process.execPath, [script, 'nosuch', 'silence'], {
    encoding: 'utf8',
  });
  expect(stderr).toContain('error: there is no metric nosuch; metrics are nisqa, dnsmos, silence,');
  expect(stdout).toContain('silence: ready');
  expect(status).toBe(2);
});
