/** Codes as text for the queue: two bytes a code (little-endian) in base64, a third of what JSON's numbers take. */
import { z } from 'zod';

const LARGEST = 0xffff;

/** @throws Error for a code that does not go into two bytes, which no codec has */
export function codesToText(codes: readonly number[]): string {
  const bytes = Buffer.allocUnsafe(2 * codes.length);
  for (let i = 0; i < codes.length; i++) {
    const code = codes[i];
    if (!Number.isInteger(code) || code < 0 || code > LARGEST)
      throw new Error(`code ${code} cannot be sent to workers: they are sent codes from 0 to ${LARGEST}`);
    bytes[2 * i] = code & 0xff;
    bytes[2 * i + 1] = code >> 8;
  }
  return bytes.toString('base64');
}

export function codesFromText(text: string): number[] {
  const bytes = Buffer.from(text, 'base64');
  const codes = new Array<number>(bytes.length / 2);
  for (let i = 0; i < codes.length; i++) codes[i] = bytes[2 * i] | (bytes[2 * i + 1] << 8);
  return codes;
}

/** What `codesToText` writes. */
export const codesTextSchema = z
  .base64()
  .refine((text) => Buffer.byteLength(text, 'base64') % 2 === 0, 'half a code');
