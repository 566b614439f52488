import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeAll, expect, it, vi } from 'vitest';
import { findPackageRoot } from '../lib/package-root.js';
import { temporaryFolder } from './support/temporary-folder.js';

const ROOT = findPackageRoot();
/** Of package.json's exports, beside the package itself. */
const ENTRIES = ['engine', 'audio', 'codec', 'scoring', 'policy', 'dpo', 'view', 'notebook'];
const MOST_MB = 500;

interface PackageJson {
  dependencies: Record<string, string>;
  allowScripts: object;
}

let packageJson: PackageJson;
let readme: string;
beforeAll(() => {
  packageJson = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as PackageJson;
  readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
});

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

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((path) => path.replaceAll('\\', '/'));
}

/**
 * Packs what `npm run build` made, and unpacks it where a dependant has it. Beside the package lie the packages that it depends on, and none of
 * those that this clone has for development or as optional ones.
 */
function installInDependant(): { dependant: string; files: string[] } {
  const folder = temporaryFolder();
  run('npm', ['pack', '--ignore-scripts', '--pack-destination', folder], ROOT);
  const [tarball] = readdirSync(folder);
  const dependant = join(folder, 'dependant');
  const installed = join(dependant, 'node_modules', 'speech-dpo');
  mkdirSync(installed, { recursive: true });
  run('tar', ['-xzf', join(folder, tarball), '-C', installed, '--strip-components=1'], folder);
  const files = filesBelow(installed);
  for (const name of Object.keys(packageJson.dependencies)) {
    const place = join(installed, 'node_modules', name);
    mkdirSync(dirname(place), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules', name), place, 'junction');
  }
  writeFileSync(join(dependant, 'package.json'), JSON.stringify({ type: 'module' }));
  return { dependant, files };
}

/** Packages that the declarations of the entries name, and that a dependant need not have. */
function packagesOfDeclarations(folder: string): string[] {
  const seen = new Set<string>();
  const packages = new Set<string>();
  const visit = (file: string) => {
    if (seen.has(file)) return;
    seen.add(file);
    const text = readFileSync(file, 'utf8');
    for (const [, specifier] of text.matchAll(/(?:from|import\(?|types=) ?['"]([^'"]+)['"]/g)) {
      if (specifier.startsWith('.')) visit(join(dirname(file), specifier.replace(/\.js$/, '.d.ts')));
      else if (!specifier.startsWith('node:')) packages.add(/^(@[^/]+\/)?[^/]+/.exec(specifier)![0]);
    }
  };
  for (const entry of ['', ...ENTRIES]) visit(join(folder, entry, 'index.d.ts'));
  expect(seen.size).toBeGreaterThan(100);
  return [...packages].filter((name) => !(name in packageJson.dependencies));
}

/** The program in README's section on the library. */
function readmeExample(): string {
  const programs = Array.from(
    readme.matchAll(/```js\n([^`]*from 'speech-dpo';[^]*?)```/g),
    ([, code]) => code,
  );
  expect(programs).toHaveLength(1);
  return programs[0];
}

it(
  "a dependant has the package's files, README's program in JavaScript and strict TypeScript, and the command line",
  { timeout: 600_000 },
  () => {
    const { dependant, files } = installInDependant();
    for (const file of [
      'dist/lib/index.js',
      'dist/lib/index.d.ts',
      'dist/lib/cli.js',
      'lib/scoring/score_pesq.py',
      'lib/scoring/transcribe_faster_whisper.py',
      'examples/own-reward.ts',
      'CHANGELOG.md',
    ])
      expect(files).toContain(file);
    expect(
      files.filter((file) =>
        /^((dist\/)?(bench|scripts|recipes|test)|dist\/examples|dist\/lib\/notebook\/kernel)\//.test(file),
      ),
    ).toEqual([]);
    for (const [, path] of readme.matchAll(/\]\(((?:docs|examples|models)\/[^)#]+|[A-Z]+\.md)[)#]/g))
      expect(existsSync(join(ROOT, path)), `README's link to ${path}`).toBe(true);

    const example = readmeExample();
    writeFileSync(join(dependant, 'example.ts'), example);
    writeFileSync(join(dependant, 'example.mjs'), example);
    copyFileSync(
      join(ROOT, 'test', 'fixtures', 'dependant', 'use-types.ts'),
      join(dependant, 'use-types.ts'),
    );
    const compiler = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
    const types = ['--types', 'node', '--typeRoots', join(ROOT, 'node_modules', '@types')];
    const options = ['--noEmit', '--strict', '--skipLibCheck', '--target', 'es2022', ...types];
    const programs = ['use-types.ts', 'example.ts'];
    run('node', [compiler, ...options, '--module', 'nodenext', '--lib', 'es2023', ...programs], dependant);
    const bundled = ['--module', 'esnext', '--moduleResolution', 'bundler'];
    run('node', [compiler, ...options, ...bundled, ...programs], dependant);
    // skipLibCheck takes what a declaration cannot find for `any`.
    expect(packagesOfDeclarations(join(dependant, 'node_modules', 'speech-dpo', 'dist', 'lib'))).toEqual([]);

    const printed = run('node', ['example.mjs'], dependant).trim().split('\n');
    expect(printed[0]).toMatch(/^1 0\.693\d* 0$/);
    expect(readdirSync(join(dependant, 'my_policy'))).toContain('model.safetensors');

    writeFileSync(
      join(dependant, 'use.mjs'),
      `import { CpuDevice, loadPolicy, loadPrompts, openCodec, resolveModelDirectory } from 'speech-dpo';
     const names = ['', ...${JSON.stringify(ENTRIES)}.map((name) => '/' + name)];
     const modules = await Promise.all(names.map((name) => import('speech-dpo' + name)));
     console.log(JSON.stringify(modules.map((each) => Object.keys(each).length > 0)));
     const policy = await loadPolicy('default');
     const { train } = await loadPrompts('default', policy.tokenizer);
     const codec = await openCodec('default', new CpuDevice());
     const samples = await codec.decode(train[0].tgt_encodec);
     await codec.dispose();
     const nar = await loadPolicy(resolveModelDirectory('default') + '/nar');
     console.log(JSON.stringify([policy.config.d_model, train.length, samples.length > 16000, nar.config.encoder_ffn_dim]));`,
    );
    const [entries, model] = run('node', ['use.mjs'], dependant).trim().split('\n');
    expect(JSON.parse(entries)).toEqual(['', ...ENTRIES].map(() => true));
    expect(JSON.parse(model)).toEqual([256, 16, true, 256]);

    const cli = join('node_modules', 'speech-dpo', 'dist', 'lib', 'cli.js');
    vi.stubEnv('XDG_CACHE_HOME', join(dependant, 'cache'));
    vi.stubEnv('DNSMOS_WEIGHTS', '');
    const doctor = run('node', [cli, 'doctor', '--json'], dependant);
    vi.unstubAllEnvs();
    // Scripts of npm run are in a clone alone.
    const { findings } = JSON.parse(doctor) as { findings: { name: string; found: string; mend?: string }[] };
    expect(findings.filter(({ mend }) => /npm (run|ci)/.test(mend ?? ''))).toEqual([]);
    expect(findings.find(({ name }) => name === 'DNSMOS')).toMatchObject({
      mend: 'npx speech-dpo score RECORDING.wav --metric dnsmos',
    });
    for (const { found } of findings)
      expect(found).not.toMatch(/npm (ci|run \w+(?!\w|`? (in|installs it in) a clone))/);

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

it('`npm pack` in a fresh clone builds first, and npx finds the command line', () => {
  const clone = temporaryFolder();
  for (const file of [
    'package.json',
    'package-lock.json',
    'tsconfig.json',
    'scripts/setup.mjs',
    'scripts/prepack.mjs',
  ])
    cpSync(join(ROOT, file), join(clone, file));
  // One file in the place of the whole library: how it is built is what counts, and takes a tenth of the time.
  mkdirSync(join(clone, 'lib'));
  writeFileSync(join(clone, 'lib', 'cli.ts'), '#!/usr/bin/env node\nexport const isBuilt: boolean = true;\n');
  // Installed packages are borrowed; older than them, the lock file asks for no installation.
  symlinkSync(join(ROOT, 'node_modules'), join(clone, 'node_modules'), 'junction');
  utimesSync(join(clone, 'package-lock.json'), 0, 0);
  run('npm', ['pack'], clone);
  const tarball = readdirSync(clone).find((name) => name.endsWith('.tgz'))!;
  const packed = run('tar', ['-tzf', tarball], clone).split('\n');
  expect(packed).toContain('package/dist/lib/cli.js');
  expect(packed).toContain('package/dist/lib/cli.d.ts');
  if (process.platform !== 'win32')
    expect(statSync(join(clone, 'dist', 'lib', 'cli.js')).mode & 0o111).toBe(0o111);
});

it(`what a dependant installs is no more than ${MOST_MB} MB, and README says how much`, () => {
  const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { dev?: boolean; devOptional?: boolean; peer?: boolean }>;
  };
  const installed = Object.entries(packages)
    .filter(([path, { dev, devOptional, peer }]) => path && !dev && !devOptional && !peer)
    .map(([path]) => join(ROOT, path))
    // Of optional packages there are those of this platform.
    .filter(existsSync);
  const ours = ['models', 'docs', 'dist/lib'].map((path) => join(ROOT, path));
  const bytes = [...installed, ...ours].flatMap((folder) =>
    filesBelow(folder)
      .filter((file) => ours.includes(folder) || !/(^|\/)node_modules\//.test(file))
      .map((file) => statSync(join(folder, file)))
      .map((stat) => (stat.isFile() ? stat.size : 0)),
  );
  const megabytes = bytes.reduce((sum, size) => sum + size, 0) / 1e6;
  const [, stated] = /(\d+) MB of files/.exec(readme)!;
  expect(megabytes).toBeLessThan(MOST_MB);
  expect(Math.abs(megabytes / Number(stated) - 1), `it is ${megabytes.toFixed(0)} MB`).toBeLessThan(0.05);
});

it('nothing runs at install time: npm reads allowScripts, and before version 11 only what the lock file marks', () => {
  const { allowScripts } = packageJson;
  expect(Object.values(allowScripts).filter((isAllowed) => isAllowed !== false)).toEqual([]);
  // npm marks packages that have install scripts. Delete the lines; new packages also belong into allowScripts, with false.
  expect(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')).not.toContain('hasInstallScript');
});

it('changelog and citation are of this version', () => {
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
  expect(readFileSync(join(ROOT, 'CITATION.cff'), 'utf8')).toMatch(new RegExp(`^version: ${version}$`, 'm'));
  const [, newest] = /^## (\S+?)[,\s]/m.exec(readFileSync(join(ROOT, 'CHANGELOG.md'), 'utf8'))!;
  expect(newest).toBe(version);
});
