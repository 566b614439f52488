// `npm run bench`: installs and builds what is missing, then times this project beside its peers, on the CPU or, with --device, elsewhere;
// with --fleet, a simulated fleet of workers. Arguments are passed on.
import { buildWhereStale, installWhereMissing, runNode } from './setup.mjs';

await installWhereMissing();
await buildWhereStale();
const has = (option) => process.argv.some((argument) => argument.startsWith(option));
const program = has('--fleet') ? 'fleet.js' : has('--device') ? 'gpu.js' : 'run.js';
process.exitCode = await runNode([`dist/bench/${program}`, ...process.argv.slice(2)]);
