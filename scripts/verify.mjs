// `npm run verify -- FOLDER`: installs and builds what is missing, then compares with the reference values in FOLDER.
import { buildWhereStale, installWhereMissing, runNode } from './setup.mjs';

await installWhereMissing();
await buildWhereStale();
process.exitCode = await runNode(['dist/lib/cli.js', 'verify', ...process.argv.slice(2)]);
