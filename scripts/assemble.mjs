// `npm run assemble`: makes TypeScript of WebAssembly texts (adamw.wat -> adamw-kernel.ts) and of AssemblyScript
// (griffin-lim.as.ts -> griffin-lim-kernel.ts), after a change of one.
import { readFileSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import wabtInitializer from 'wabt';

/** Texts, and the names of what is made of them. */
export const KERNELS = [
  ['lib/engine/devices/cpu/adamw.wat', 'ADAMW_KERNEL'],
  ['lib/policy/top-k.wat', 'TOP_K_KERNEL'],
  ['lib/codec/spectral/griffin-lim.as.ts', 'GRIFFIN_LIM_KERNEL'],
].map(([path, name]) => ({ path: fileURLToPath(new URL(`../${path}`, import.meta.url)), name }));

/** The WebAssembly that a file's text means. */
export async function assemble(path) {
  const text = readFileSync(path, 'utf8');
  return path.endsWith('.wat') ? assembleText(text) : compileScript(text, path);
}

async function assembleText(text) {
  const wabt = await wabtInitializer();
  const module = wabt.parseWat('kernel.wat', text, { simd: true });
  const { buffer } = module.toBinary({});
  module.destroy();
  return buffer;
}

/** The memory is the caller's; without a garbage collector, and without the checks of one. */
const OPTIONS =
  '-O3 --converge --runtime stub --importMemory --noAssert --use abort= --enable simd --enable bulk-memory';

async function compileScript(text, path) {
  const { default: asc } = await import('assemblyscript/asc');
  const sources = { 'kernel.ts': text };
  let binary;
  const { error, stderr } = await asc.main(['kernel.ts', '-o', 'kernel.wasm', ...OPTIONS.split(' ')], {
    readFile: (name) => sources[name] ?? null,
    writeFile: (_name, contents) => void (binary = contents),
    listFiles: () => [],
  });
  if (error) throw new Error(`${path} does not compile: ${stderr}`);
  return binary;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const { path, name } of KERNELS) {
    const bytes = Buffer.from(await assemble(path));
    const lines = bytes.toString('base64').match(/.{1,100}/g);
    writeFileSync(
      path.replace(/\.(wat|as\.ts)$/, '-kernel.ts'),
      `/** ${basename(path)} as WebAssembly; \`npm run assemble\` writes this file. */
const BASE64 =
${lines.map((line) => `  '${line}'`).join(' +\n')};

export const ${name}: Uint8Array = Uint8Array.from(Buffer.from(BASE64, 'base64'));
`,
    );
  }
}
