// `npm run assemble`: makes lib/engine/devices/cpu/adamw-kernel.ts of adamw.wat, after a change of that text.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import wabtInitializer from 'wabt';

const folder = fileURLToPath(new URL('../lib/engine/devices/cpu/', import.meta.url));

/** The WebAssembly that a text means. */
export async function assemble(text) {
  const wabt = await wabtInitializer();
  const module = wabt.parseWat('adamw.wat', text, { simd: true });
  const { buffer } = module.toBinary({});
  module.destroy();
  return buffer;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const bytes = Buffer.from(await assemble(readFileSync(join(folder, 'adamw.wat'), 'utf8')));
  const lines = bytes.toString('base64').match(/.{1,100}/g);
  writeFileSync(
    join(folder, 'adamw-kernel.ts'),
    `/** adamw.wat as WebAssembly; \`npm run assemble\` writes this file. */
const BASE64 =
${lines.map((line) => `  '${line}'`).join(' +\n')};

export const ADAMW_KERNEL: Uint8Array = Uint8Array.from(Buffer.from(BASE64, 'base64'));
`,
  );
}
