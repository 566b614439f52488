// `npm run ptx`: makes lib/engine/devices/cuda/ptx.ts of kernels.cu, after a change of that source, with NVIDIA's compiler NVRTC, which needs
// no GPU. NVRTC names its library; a version of CUDA 12.0 makes text that every driver since CUDA 12.0 takes:
//
//     python3 -m pip install --target .cache/nvrtc nvidia-cuda-nvrtc-cu12==12.0.140 && npm run ptx
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import koffi from 'koffi';
import { root } from './setup.mjs';

const folder = fileURLToPath(new URL('../lib/engine/devices/cuda/', import.meta.url));
/** The oldest GPUs that CUDA 13 serves; the driver compiles the text for newer ones. */
const OPTIONS = ['--gpu-architecture=compute_75'];

/** What the head of ptx.ts says of the source it was made of. */
export const hashOf = (source) => createHash('sha256').update(source).digest('hex');

function findNvrtc() {
  const path = process.env.NVRTC ?? join(root, '.cache/nvrtc/nvidia/cuda_nvrtc/lib/libnvrtc.so.12');
  if (existsSync(path)) return path;
  console.error(`there is no NVRTC at ${path}. To fetch it:
  python3 -m pip install --target .cache/nvrtc nvidia-cuda-nvrtc-cu12==12.0.140`);
  process.exit(2);
}

/** PTX, as text, of a CUDA source. */
function compile(source) {
  const library = koffi.load(findNvrtc());
  const call = (name, types, ...args) => {
    const code = library.func(name, 'int', types)(...args);
    return code;
  };
  const program = [null];
  call(
    'nvrtcCreateProgram',
    ['_Out_ void **', 'const char *', 'const char *', 'int', 'void *', 'void *'],
    ...[program, source, 'kernels.cu', 0, null, null],
  );
  const compiled = call(
    'nvrtcCompileProgram',
    ['void *', 'int', 'const char **'],
    ...[program[0], OPTIONS.length, OPTIONS],
  );
  const text = (kind) => {
    const size = new BigUint64Array(1);
    call(`nvrtcGet${kind}Size`, ['void *', 'void *'], program[0], size);
    const bytes = Buffer.alloc(Number(size[0]));
    call(`nvrtcGet${kind}`, ['void *', 'void *'], program[0], bytes);
    return bytes.toString('utf8', 0, bytes.length - 1);
  };
  if (compiled !== 0) throw new Error(text('ProgramLog'));
  return text('PTX');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const source = readFileSync(join(folder, 'kernels.cu'), 'utf8');
  // Without comments, and without NVRTC's own list of processors, which nothing uses.
  const ptx = compile(source)
    .replace(/^\s*\/\/.*\n/gm, '')
    .replace(/^\.global .*nv6target.*\n/gm, '')
    .trim();
  if (/[`\\]|\$\{/.test(ptx)) throw new Error('the text cannot stand in a template string as it is');
  writeFileSync(
    join(folder, 'ptx.ts'),
    `/**
 * kernels.cu as PTX, NVIDIA's assembly text, which the driver compiles for the GPU that is there; \`npm run ptx\` writes this file.
 * SHA-256 of kernels.cu: ${hashOf(source)}
 */
export const PTX = \`${ptx}
\`;
`,
  );
}
