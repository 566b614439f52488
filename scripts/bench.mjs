// `npm run bench`: installs and builds what is missing, then times this project beside its peers, on the CPU or, with --device, elsewhere;
// with --fleet, a simulated fleet of workers; with --losses, what each loss does to the embedded model; with --growth, how time and memory
// grow. Arguments are passed on.
import { buildWhereStale, installWhereMissing, runNode } from './setup.mjs';

await installWhereMissing();
await buildWhereStale();
const has = (option) => process.argv.some((argument) => argument.startsWith(option));
const programs = {
  '--fleet': 'fleet.js',
  '--losses': 'losses.js',
  '--growth': 'growth.js',
  '--device': 'gpu.js',
};
const program = programs[Object.keys(programs).find(has)] ?? 'run.js';
process.exitCode = await runNode([`dist/bench/${program}`, ...process.argv.slice(2)]);
