/** What a program with large constants leaves in memory: in a process of its own, whose allocator nobody else has used. */
import { spawnSync } from 'node:child_process';
import { pathToFileURL } from 'node:url';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { findPackageRoot } from '../../lib/package-root.js';

const ENGINE = pathToFileURL(join(findPackageRoot(), 'dist', 'lib', 'engine', 'index.js')).href;

/** Prints the memory that compiling takes for good, as a multiple of the constants' bytes. */
const SCRIPT = `
import { compile, CpuDevice, tf } from '${ENGINE}';
const [width, layers] = [768, 60];
const device = new CpuDevice(1);
const x = { shape: [1, width], dtype: 'float32' };
await compile((w) => ({ y: tf.add(w.x, 1) }), { x }, { device });
const names = Array.from({ length: layers }, (_, layer) => 'weight' + layer);
const constants = Object.fromEntries(
  names.map((name) => [name, { shape: [width, width], data: new Float32Array(width * width).fill(0.01) }]),
);
const before = process.memoryUsage.rss();
const run = await compile(
  (w) => ({ y: names.reduce((y, name) => tf.matMul(y, w[name]), w.x) }),
  { x },
  { device, constants },
);
console.log((process.memoryUsage.rss() - before) / (layers * width * width * 4));
await device.close();
`;

it.runIf(process.platform === 'linux')(
  'weights that are constants are in memory once, and nothing of their copies',
  () => {
    const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', SCRIPT], {
      encoding: 'utf8',
    });
    expect(Number(stdout), stderr).toBeGreaterThan(0.5);
    // Twice to three times where copies leave holes.
    expect(Number(stdout)).toBeLessThan(1.3);
  },
);
