// `npm test`: installs and builds what is missing, then runs all tests, and beside them type-checks and lints everything and holds imports to their direction. Arguments are passed on to vitest.
import { constants, setPriority } from 'node:os';
import { buildWhereStale, installWhereMissing, runNode } from './setup.mjs';

await installWhereMissing();
await buildWhereStale();
const checks = {
  'types (tsconfig.test.json)': ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.test.json'],
  'types (scripts/tsconfig.json)': ['node_modules/typescript/bin/tsc', '-p', 'scripts/tsconfig.json'],
  eslint: ['node_modules/eslint/bin/eslint.js', '.'],
  'imports (dependency-cruiser)': [
    'node_modules/dependency-cruiser/bin/dependency-cruise.mjs',
    ...['--config', '--output-type', 'err', 'lib'],
  ],
  'format (prettier)': ['node_modules/prettier/bin/prettier.cjs', '--check', '--log-level', 'warn', '.'],
};
const running = Object.entries(checks).map(([name, args]) => check(name, args));
const codes = [await runNode(['node_modules/vitest/vitest.mjs', 'run', ...process.argv.slice(2)])];
console.log('Types, lint, imports and format:');
// Behind the tests, among which it would be lost.
for (const { name, code, said } of await Promise.all(running)) {
  console.log(`${said}${code === 0 ? 'passed' : 'failed'}: ${name}`);
  codes.push(code);
}
process.exitCode = codes.find((code) => code !== 0) ?? 0;

/** Takes what the tests leave idle. */
async function check(name, args) {
  let said = '';
  const code = await runNode(args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    onStart: (child) => {
      setPriority(child.pid, constants.priority.PRIORITY_LOW);
      for (const stream of [child.stdout, child.stderr])
        stream.setEncoding('utf8').on('data', (text) => (said += text));
    },
  });
  return { name, code, said };
}
