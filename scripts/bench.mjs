// `npm run bench`: installs and builds what is missing, then times this project beside its peers. Arguments are passed on.
import { buildWhereStale, installWhereMissing, runNode } from './setup.mjs';

await installWhereMissing();
await buildWhereStale();
process.exitCode = await runNode(['dist/bench/run.js', ...process.argv.slice(2)]);
