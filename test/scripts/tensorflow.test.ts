/** What `npm run tensorflow` says where it cannot go on; nothing is downloaded. */
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { findPackageRoot } from '../../lib/package-root.js';
import { compileAddon, prepareTensorFlow } from '../../scripts/tensorflow/prepare.mjs';
import { temporaryFolder } from '../support/temporary-folder.js';

const ROOT = findPackageRoot();
const NAME = '@tensorflow/tfjs-node';

it('refuses options that it does not know', () => {
  expect(() => prepareTensorFlow(['--cuda'], { root: temporaryFolder() })).toThrow(
    'npm run tensorflow does not know --cuda; its options are --gpu, --remove',
  );
});

it('names the versions of Node.js that the package cannot serve, before it installs anything', () => {
  const root = temporaryFolder();
  expect(() => prepareTensorFlow([], { root, nodeVersion: '24.2.0' })).toThrow(
    /this is Node\.js 24\.2\.0: run npm run tensorflow, .* with Node\.js 20 or 22$/,
  );
  expect(existsSync(join(root, '.cache'))).toBe(false);
});

it('removes what it made', () => {
  const root = temporaryFolder();
  const folder = join(root, '.cache', 'tensorflow', 'libraries');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'libtensorflow_cc.so.2'), Buffer.alloc(2e7));
  expect(prepareTensorFlow(['--remove'], { root })).toBe('Removed .cache/tensorflow (0.02 GB).');
  expect(existsSync(join(root, '.cache', 'tensorflow'))).toBe(false);
  expect(prepareTensorFlow(['--remove'], { root })).toBe('There was no .cache/tensorflow to remove.');
});

it('compiles on Linux on x64 alone, and says what else can be done', () => {
  expect(() => compileAddon(temporaryFolder(), NAME, { platform: 'darwin', arch: 'arm64' })).toThrow(
    /^the download of @tensorflow\/tfjs-node cannot be reached .* on darwin and arm64 there is no other way: .* --device cpu$/,
  );
});

it('asks for a compiler before it fetches the library', () => {
  const machine = { platform: 'linux', arch: 'x64', environment: { CXX: '/no/such/c++' } };
  expect(() => compileAddon(temporaryFolder(), NAME, machine)).toThrow(
    /there is no C\+\+ compiler \(\/no\/such\/c\+\+\): install one \(on Debian and Ubuntu: apt install g\+\+\)/,
  );
});

it.skipIf(process.platform === 'win32')(
  'fetches the library by its hash, keeps what is compiled against, and compiles the package’s source',
  () => {
    const root = temporaryFolder();
    writeFileSync(
      join(root, 'requirements-tensorflow.txt'),
      readFileSync(join(ROOT, 'requirements-tensorflow.txt')),
    );
    const compiler = join(root, 'c++');
    const log = join(root, 'compiler.log');
    writeFileSync(
      compiler,
      `#!/bin/sh\necho "$@" >> ${log}\nwhile [ $# -gt 0 ]; do [ "$1" = -o ] && echo addon > "$2"; shift; done\n`,
    );
    chmodSync(compiler, 0o755);
    const machine = {
      ...{ platform: 'linux', arch: 'x64', freeBytes: 1e12, onNotice: () => undefined },
      environment: {
        PATH: process.env.PATH,
        CXX: compiler,
        PYTHON: join(ROOT, 'test/support/fake-python.mjs'),
        FAKE_PIP_LOG: join(root, 'pip.log'),
      },
    };
    compileAddon(root, NAME, machine);
    const made = join(root, '.cache', 'tensorflow');
    expect(readFileSync(join(root, 'pip.log'), 'utf8')).toBe('tensorflow-cpu\n');
    expect(existsSync(join(made, 'libraries/tensorflow/libtensorflow_cc.so.2'))).toBe(true);
    expect(existsSync(join(made, 'libraries/tensorflow/include/tensorflow/c/eager/c_api.h'))).toBe(true);
    expect(existsSync(join(made, 'libraries/tensorflow/include/Eigen/Core.h'))).toBe(false);
    expect(existsSync(join(made, 'libraries/tensorflow/python/__init__.py'))).toBe(false);
    const addon = join(made, 'node_modules', NAME, 'lib/napi-v8/tfjs_binding.node');
    expect(readFileSync(addon, 'utf8')).toBe('addon\n');
    const compiled = readFileSync(log, 'utf8').trim().split('\n').at(-1)!;
    expect(compiled).toContain('-DNAPI_VERSION=8');
    expect(compiled).toContain(`-I${made}/libraries/tensorflow/include`);
    expect(compiled).toContain('-rpath,$ORIGIN/../../../../../libraries/tensorflow');
    // The library is there; the second time the addon alone is compiled.
    compileAddon(root, NAME, machine);
    expect(readFileSync(join(root, 'pip.log'), 'utf8')).toBe('tensorflow-cpu\n');
  },
);

it.each(['requirements-tensorflow.txt', 'requirements-tensorflow-gpu.txt'])(
  '%s names versions of one TensorFlow, and a hash of every wheel',
  (file) => {
    const lines = readFileSync(join(ROOT, file), 'utf8')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'));
    expect(lines[0]).toMatch(/^tensorflow(-cpu)?==2\.21\.0 /);
    for (const line of lines) expect(line).toMatch(/^[a-z0-9-]+==[\d.]+ --hash=sha256:[0-9a-f]{64}$/);
  },
);

it('is of the version of TensorFlow.js that the project has', () => {
  const { dependencies, devDependencies, peerDependencies } = JSON.parse(
    readFileSync(join(ROOT, 'package.json'), 'utf8'),
  ) as Record<string, Record<string, string>>;
  const version = devDependencies['@tensorflow/tfjs'];
  for (const part of ['core', 'layers', 'backend-cpu'])
    expect(dependencies[`@tensorflow/tfjs-${part}`]).toBe(version);
  expect(peerDependencies['@tensorflow/tfjs']).toBe(version);
  expect(peerDependencies[NAME]).toBe(version);
  expect(peerDependencies[`${NAME}-gpu`]).toBe(version);
  expect(readFileSync(join(ROOT, 'scripts/tensorflow/prepare.mjs'), 'utf8')).toContain(
    `VERSION = '${version}'`,
  );
});
