#!/usr/bin/env node
/** The command line: `speech-dpo even-token | length | mos | resume DIR | report DIR | verify DIR | score FILES | edit`; `speech-dpo --help` lists all options. */
import { main } from './cli/main.js';
import { leaveTerminalAtExit, watchStandardStreams } from './cli/standard-streams.js';

const abort = new AbortController();
watchStandardStreams(abort);
let interruptedMs = 0;

// The first interrupt lets a run end in good order, a second one ends it at once. npm and the terminal may both deliver the same one.
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (abort.signal.aborted && performance.now() - interruptedMs > 1000) process.exit(130);
    if (!abort.signal.aborted) interruptedMs = performance.now();
    abort.abort();
  });
}

// The terminal was closed, which shell and system may tell one after the other: in good order as well.
process.once('SIGHUP', leaveTerminalAtExit).on('SIGHUP', () => abort.abort());

process.exitCode = await main(process.argv.slice(2), abort.signal);
