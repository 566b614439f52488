/** Where onnxruntime-node has the library of ONNX Runtime that it brings along. */
import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** As the system names a shared library; the version is in the name of some. */
const LIBRARY = /^(lib)?onnxruntime\.(so\.1|dll|1\.dylib)$/;

/** The folder of the package. */
export const onnxruntimeNode = (): string =>
  dirname(createRequire(import.meta.url).resolve('onnxruntime-node/package.json'));

/** @throws Error in one sentence where it has none for this machine */
export function findOrtLibrary(): string {
  const bin = join(onnxruntimeNode(), 'bin');
  for (const napi of readdirSync(bin)) {
    const folder = join(bin, napi, process.platform, process.arch);
    const name = existsSync(folder) ? readdirSync(folder).find((each) => LIBRARY.test(each)) : undefined;
    if (name) return join(folder, name);
  }
  throw new Error(
    `ONNX Runtime cannot compute here: onnxruntime-node has no library for ${process.platform} on ${process.arch}`,
  );
}
