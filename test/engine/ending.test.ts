/** How processes with an engine end. ENDING_RUNS=40 npx vitest run test/engine/ending.test.ts tries that many moments. */
import { execFile } from 'node:child_process';
import { expect, it } from 'vitest';

const ENDING_RUNS = Number(process.env.ENDING_RUNS ?? 6);
const ENGINE = new URL('../../dist/lib/engine/index.js', import.meta.url).href;

/** The exit code of a program, or the signal that ended it. */
function end(script: string, ...args: string[]): Promise<number | string> {
  const program = ['--input-type=module', '--eval', script, '--', ...args];
  return new Promise((resolve) => {
    const child = execFile(process.execPath, program, { timeout: 60_000, killSignal: 'SIGKILL' });
    child.on('close', (code, signal) => resolve(code ?? signal!));
  });
}

it('a device that nobody uses starts no worker and keeps nobody waiting', async () => {
  const script = `
    import { CpuDevice } from '${ENGINE}';
    process.on('worker', () => process.exit(3));
    const device = new CpuDevice();
    process.exitCode = 5;`;
  expect(await end(script)).toBe(5);
});

it('a device all of whose calls failed keeps nobody waiting either', async () => {
  const script = `
    import { CpuDevice } from '${ENGINE}';
    const device = new CpuDevice(1);
    await device.call('read', { handle: 1, start: 0, shape: [1], dtype: 'float32' }).catch(() => undefined);
    process.exitCode = 5;`;
  expect(await end(script)).toBe(5);
});

/** Loads ONNX Runtime, then opens and runs sessions for ever; ends at the given moment. */
const BUSY = `
  import { closeDevices, compile, CpuDevice, tf } from '${ENGINE}';
  const device = new CpuDevice(2);
  setTimeout(async () => {
    await closeDevices();
    process.exit(130);
  }, Number(process.argv[1]));
  const forEver = () => new Promise(() => undefined);
  for (let n = 400; ; n++) {
    const square = ({ x }) => {
      let y = x;
      for (let i = 0; i < 30; i++) y = tf.relu(tf.matMul(y, x));
      return { y, z: tf.neg(y) };
    };
    const run = await compile(square, { x: { shape: [n, n], dtype: 'float32' } }, { device }).catch(forEver);
    for (let i = 0; i < 3; i++) await run({ x: new Float32Array(n * n) }).catch(forEver);
  }`;

it('whenever it ends, an engine that is closed does not bring the process down', async () => {
  const codes: (number | string)[] = [];
  for (let run = 0; run < ENDING_RUNS; run++)
    codes.push(await end(BUSY, String(Math.round((1500 * run) / ENDING_RUNS))));
  expect(codes).toEqual(codes.map(() => 130));
}, 3_600_000);
