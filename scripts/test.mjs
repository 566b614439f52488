// `npm test`: installs and builds what is missing, then type-checks and lints everything, holds imports to their direction and runs all tests. Arguments are passed on to vitest.
import { buildWhereStale, installWhereMissing, runNode } from './setup.mjs';

await installWhereMissing();
await buildWhereStale();
const checks = [
  ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.test.json'],
  ['node_modules/typescript/bin/tsc', '-p', 'scripts/tsconfig.json'],
  ['node_modules/eslint/bin/eslint.js', '.'],
  ['node_modules/dependency-cruiser/bin/dependency-cruise.mjs', '--config', '--output-type', 'err', 'lib'],
  ['node_modules/prettier/bin/prettier.cjs', '--check', '--log-level', 'warn', '.'],
];
const codes = await Promise.all(checks.map((check) => runNode(check)));
codes.push(await runNode(['node_modules/vitest/vitest.mjs', 'run', ...process.argv.slice(2)]));
process.exitCode = codes.find((code) => code !== 0) ?? 0;
