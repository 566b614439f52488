// `npm run assemble`: makes TypeScript of WebAssembly texts (adamw.wat -> adamw-kernel.ts), after a change of one.
import { readFileSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import wabtInitializer from 'wabt';

/** Texts, and the names of what is made of them. */
export const KERNELS = [
  ['lib/engine/devices/cpu/adamw.wat', 'ADAMW_KERNEL'],
  ['lib/policy/top-k.wat', 'TOP_K_KERNEL'],
].map(([path, name]) => ({ path: fileURLToPath(new URL(`../${path}`, import.meta.url)), name }));

/** The WebAssembly that a text means. */
export async function assemble(text) {
  const wabt = await wabtInitializer();
  const module = wabt.parseWat('kernel.wat', text, { simd: true });
  const { buffer } = module.toBinary({});
  module.destroy();
  return buffer;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const { path, name } of KERNELS) {
    const bytes = Buffer.from(await assemble(readFileSync(path, 'utf8')));
    const lines = bytes.toString('base64').match(/.{1,100}/g);
    writeFileSync(
      path.replace(/\.wat$/, '-kernel.ts'),
      `/** ${basename(path)} as WebAssembly; \`npm run assemble\` writes this file. */
const BASE64 =
${lines.map((line) => `  '${line}'`).join(' +\n')};

export const ${name}: Uint8Array = Uint8Array.from(Buffer.from(BASE64, 'base64'));
`,
    );
  }
}
