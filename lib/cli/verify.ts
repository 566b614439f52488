import type { Device } from '../engine/index.js';
import { verify } from '../verify/verify.js';

/** Compares this implementation with a folder of reference values, prints every difference, and returns whether all pass. */
export async function verifyDirectory(directory: string, device?: Device): Promise<boolean> {
  const { rows } = await verify(directory, { device });
  const width = Math.max(...rows.map(({ quantity }) => quantity.length));
  for (const { quantity, difference, tolerance, pass } of rows) {
    const figures = `${difference.toExponential(2)}  (at most ${Number(tolerance.toPrecision(2)).toExponential()})`;
    process.stdout.write(`${pass ? 'pass' : 'FAIL'}  ${quantity.padEnd(width)}  ${figures}\n`);
  }
  const failed = rows.filter(({ pass }) => !pass).length;
  process.stdout.write(
    failed === 0 ? 'all within tolerance\n' : `${failed} of ${rows.length} out of tolerance\n`,
  );
  return failed === 0;
}
