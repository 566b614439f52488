import { spawnSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join, relative } from 'node:path';
import { expect, it } from 'vitest';
import { findPackageRoot } from '../lib/package-root.js';
import { temporaryFolder } from './support/temporary-folder.js';

const ROOT = findPackageRoot();
/** Of package.json's exports, beside the package itself. */
const ENTRIES = ['engine', 'audio', 'codec', 'scoring', 'policy', 'dpo', 'view', 'notebook'];
/** What a fresh clone does not have. */
const NOT_CLONED = ['.git', '.venv', '.cache', 'node_modules', 'dist', 'output', 'model_output'];

function run(command: string, args: string[], folder: string): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd: folder,
    encoding: 'utf8',
    env: { ...process.env, HF_HUB_OFFLINE: '1' },
    shell: process.platform === 'win32',
  });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${error?.message ?? stderr + stdout}`);
  return stdout;
}

/** Packs a clone that was never built, and unpacks the package where a dependant has it. */
function installInDependant(): { dependant: string; files: string[] } {
  const folder = temporaryFolder();
  const clone = join(folder, 'clone');
  cpSync(ROOT, clone, {
    recursive: true,
    filter: (path) => !NOT_CLONED.includes(relative(ROOT, path)),
  });
  // Installed packages are borrowed; older than them, the lock file asks for no installation.
  symlinkSync(join(ROOT, 'node_modules'), join(clone, 'node_modules'), 'junction');
  utimesSync(join(clone, 'package-lock.json'), 0, 0);
  run('npm', ['pack', '--pack-destination', folder], clone);
  const dependant = join(folder, 'dependant');
  mkdirSync(join(dependant, 'node_modules'), { recursive: true });
  const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz'))!;
  run('tar', ['-xzf', join(folder, tarball), '-C', join(dependant, 'node_modules')], folder);
  run('node', ['-e', "fs.renameSync('package', 'speech-dpo')"], join(dependant, 'node_modules'));
  const installed = join(dependant, 'node_modules', 'speech-dpo');
  const files = readdirSync(installed, { recursive: true, encoding: 'utf8' }).map((path) =>
    path.replaceAll('\\', '/'),
  );
  symlinkSync(join(ROOT, 'node_modules'), join(installed, 'node_modules'), 'junction');
  return { dependant, files };
}

it(
  'the package of a fresh clone is built, and a dependant finds the embedded model',
  { timeout: 600_000 },
  () => {
    const { dependant, files } = installInDependant();
    for (const file of [
      'dist/lib/index.js',
      'dist/lib/index.d.ts',
      'dist/lib/cli.js',
      'lib/scoring/score_pesq.py',
      'lib/scoring/transcribe_faster_whisper.py',
    ])
      expect(files).toContain(file);
    expect(
      files.filter((file) =>
        /^((dist\/)?(bench|scripts|recipes|test)|dist\/lib\/notebook\/kernel)\//.test(file),
      ),
    ).toEqual([]);
    if (process.platform !== 'win32')
      expect(
        statSync(join(dependant, '..', 'clone', 'dist', 'lib', 'cli.js')).mode & 0o111,
        'npx finds the command line',
      ).toBe(0o111);

    cpSync(join(ROOT, 'test', 'fixtures', 'dependant', 'use-types.ts'), join(dependant, 'use-types.ts'));
    writeFileSync(join(dependant, 'package.json'), JSON.stringify({ type: 'module' }));
    for (const resolution of [
      ['--module', 'nodenext'],
      ['--module', 'esnext', '--moduleResolution', 'bundler'],
    ]) {
      const program = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
      const types = ['--types', 'node', '--typeRoots', join(ROOT, 'node_modules', '@types')];
      const options = [
        '--noEmit',
        '--strict',
        '--skipLibCheck',
        '--target',
        'es2022',
        ...resolution,
        ...types,
      ];
      run('node', [program, ...options, 'use-types.ts'], dependant);
    }
    writeFileSync(
      join(dependant, 'entries.mjs'),
      `const names = ['', ...${JSON.stringify(ENTRIES)}.map((name) => '/' + name)];
     const modules = await Promise.all(names.map((name) => import('speech-dpo' + name)));
     console.log(JSON.stringify(modules.map((each) => Object.keys(each).length > 0)));`,
    );
    expect(JSON.parse(run('node', ['entries.mjs'], dependant))).toEqual(['', ...ENTRIES].map(() => true));

    writeFileSync(
      join(dependant, 'use.mjs'),
      `import { CpuDevice, loadPolicy, loadPrompts, openCodec, resolveModelDirectory } from 'speech-dpo';
     const policy = await loadPolicy('default');
     const { train } = await loadPrompts('default', policy.tokenizer);
     const codec = await openCodec('default', new CpuDevice());
     const samples = await codec.decode(train[0].tgt_encodec);
     await codec.dispose();
     const nar = await loadPolicy(resolveModelDirectory('default') + '/nar');
     console.log(JSON.stringify([policy.config.d_model, train.length, samples.length > 16000, nar.config.encoder_ffn_dim]));`,
    );
    expect(JSON.parse(run('node', ['use.mjs'], dependant))).toEqual([256, 16, true, 256]);

    const cli = join('node_modules', 'speech-dpo', 'dist', 'lib', 'cli.js');
    const sizes = { iterations: 1, 'train-prompts': 1, 'test-prompts': 1, 'sample-size': 4, 'num-eval': 1 };
    const small = { ...sizes, 'max-new-tokens': 12, epochs: 1, 'audio-prompts': 0, 'pairs-per-prompt': 1 };
    run(
      'node',
      [cli, 'even-token', ...Object.entries(small).flatMap(([name, value]) => [`--${name}`, `${value}`])],
      dependant,
    );
    const [name] = readdirSync(join(dependant, 'model_output'));
    expect(readdirSync(join(dependant, 'model_output', name, 'iter_0', 'dpo_model'))).toContain(
      'model.safetensors',
    );
  },
);

it('nothing runs at install time: npm reads allowScripts, and before version 11 only what the lock file marks', () => {
  const { allowScripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    allowScripts: object;
  };
  expect(Object.values(allowScripts).filter((isAllowed) => isAllowed !== false)).toEqual([]);
  // npm marks packages that have install scripts. Delete the lines; new packages also belong into allowScripts, with false.
  expect(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')).not.toContain('hasInstallScript');
});
