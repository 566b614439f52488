// `npm start`: installs and builds what is missing, then runs the even-token experiment on the embedded default.
// Arguments are passed on: npm start -- --iterations 5
import { buildWhereStale, installWhereMissing, runNode } from './setup.mjs';

await installWhereMissing();
await buildWhereStale();
process.exitCode = await runNode(['dist/lib/cli.js', 'even-token', ...process.argv.slice(2)]);
