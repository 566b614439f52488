#!/usr/bin/env node
// Stands for Python in tests of scripts that use pip: makes virtual environments that are itself, and "installs" files by name.
// FAKE_PIP_LOG: what was asked for, a line each. FAKE_PIP_FAILS: a package whose installation fails after half of its files.
import { appendFileSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** What lies in a package, some of it to be left out. */
const FILES = {
  'onnxruntime-gpu': [
    'onnxruntime/capi/libonnxruntime.so.1.30.0',
    'onnxruntime/capi/libonnxruntime_providers_cuda.so',
    'onnxruntime/capi/libonnxruntime_providers_tensorrt.so',
    'onnxruntime/capi/onnxruntime_pybind11_state.cpython-312-x86_64-linux-gnu.so',
    'onnxruntime/LICENSE',
    'onnxruntime/__init__.py',
  ],
  'tensorflow-cpu': [
    'tensorflow/libtensorflow_cc.so.2',
    'tensorflow/libtensorflow_framework.so.2',
    'tensorflow/include/tensorflow/c/eager/c_api.h',
    'tensorflow/include/Eigen/Core.h',
    'tensorflow/python/__init__.py',
  ],
  default: (name) => [
    `nvidia/cu13/lib/lib${name}.so.13`,
    `nvidia/cu13/include/${name}.h`,
    `${name}.dist-info/licenses/License.txt`,
  ],
};

const args = process.argv.slice(2);
const after = (option) => args[args.indexOf(option) + 1];
if (args[0] === '-c') {
  console.log('[3, 11, 7]');
} else if (args[1] === 'venv') {
  const python = join(args[2], 'bin', 'python');
  mkdirSync(dirname(python), { recursive: true });
  copyFileSync(fileURLToPath(import.meta.url), python);
  writeFileSync(join(args[2], 'package.json'), '{"type":"module"}');
} else {
  const line = readFileSync(after('-r'), 'utf8');
  const name = line.split('==')[0];
  const checked = args.includes('--require-hashes') && /--hash=sha256:[0-9a-f]{64}$/.test(line);
  appendFileSync(process.env.FAKE_PIP_LOG, `${name}${checked ? '' : ' unchecked'}\n`);
  const files = FILES[name] ?? FILES.default(name);
  const fails = process.env.FAKE_PIP_FAILS === name;
  for (const path of fails ? files.slice(0, files.length / 2) : files) {
    const target = join(after('--target'), path);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, path);
  }
  process.exitCode = fails ? 1 : 0;
}
