/** What programs take of memory: in a process of its own, whose allocator nobody else has used. */
import { spawnSync } from 'node:child_process';
import { pathToFileURL } from 'node:url';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
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
// Of equal ones ONNX Runtime keeps one.
const constants = Object.fromEntries(
  names.map((name, i) => [name, { shape: [width, width], data: new Float32Array(width * width).fill(i + 1) }]),
);
// Held to the end: what is collected meanwhile is not measured.
globalThis.held = constants;
const before = process.memoryUsage.rss();
const run = await compile(
  (w) => ({ y: names.reduce((y, name) => tf.matMul(y, w[name]), w.x) }),
  { x },
  { device, constants },
);
console.log((process.memoryUsage.rss() - before) / (layers * width * width * 4));
await device.close();
`;

/** Prints by how much the most memory ever held grows with runs whose output has a place, as a multiple of the output's bytes. */
const PLACED = `
import { compile, CpuDevice, tf } from '${ENGINE}';
const size = 2 ** 24;
const device = new CpuDevice(1);
const { tensors } = await device.allocate([['x', [size]], ['y', [size]]]);
const [x, y] = [tensors.get('x'), tensors.get('y')];
const values = new Float32Array(size).fill(2);
for (const place of [x, y]) await device.write(place, values);
const run = await compile(({ x }) => ({ y: tf.neg(x) }), { x: { shape: [size], dtype: 'float32' } }, { device });
const most = () => process.resourceUsage().maxRSS * 1024;
const before = most();
for (let i = 0; i < 3; i++) await run({ x }, { y });
const growth = most() - before;
if ((await device.read(y)).some((value) => value !== -2)) throw new Error('wrong values');
console.log(growth / (4 * size));
await device.close();
`;

/** Prints the most memory that gradients of a chain of products take, as a multiple of what the forward pass keeps for them. */
const BACKWARD = `
import { compile, CpuDevice, tf } from '${ENGINE}';
const [rows, width, layers] = [4096, 256, 24];
const device = new CpuDevice(1);
const names = Array.from({ length: layers }, (_, layer) => 'weight' + layer);
const program = (w) => {
  const chain = (...weights) => tf.sum(weights.reduce((y, weight) => tf.tanh(tf.matMul(y, weight)), w.x));
  const { grads } = tf.valueAndGrads(chain)(names.map((name) => w[name]));
  return Object.fromEntries(grads.map((gradient, layer) => ['gradient' + layer, gradient]));
};
const spec = (...shape) => ({ shape, dtype: 'float32' });
const inputs = { x: spec(rows, width), ...Object.fromEntries(names.map((name) => [name, spec(width, width)])) };
const { tensors } = await device.allocate(Object.entries(inputs).map(([name, { shape }]) => [name, shape]));
for (const place of tensors.values()) await device.clear(place);
const run = await compile(program, inputs, { device });
const most = () => process.resourceUsage().maxRSS * 1024;
const before = most();
await run(Object.fromEntries(tensors));
console.log((most() - before) / (layers * rows * width * 4));
await device.close();
`;

function multipleBy(script: string): number {
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', script], {
    encoding: 'utf8',
  });
  expect(stdout, stderr).not.toBe('');
  return Number(stdout);
}

describe.runIf(process.platform === 'linux')('the memory of a program', () => {
  it('has weights that are constants once, and nothing of their copies', () => {
    const multiple = multipleBy(SCRIPT);
    expect(multiple).toBeGreaterThan(0.5);
    // Twice to three times where copies leave holes.
    expect(multiple).toBeLessThan(1.3);
  });

  it('has no copy of an output that is written to a place', () => {
    expect(multipleBy(PLACED)).toBeLessThan(0.3);
  });

  it('has a gradient of what a layer gives no longer than until those of its weights', () => {
    const multiple = multipleBy(BACKWARD);
    expect(multiple).toBeGreaterThan(0.8);
    // Twice where the gradients of weights come last.
    expect(multiple).toBeLessThan(1.5);
  });
});
