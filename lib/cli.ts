#!/usr/bin/env node
/** The command line: `speech-dpo even-token | length | mos | resume DIR | report DIR | verify DIR | score FILES | edit`; `speech-dpo --help` lists all options. */
import { setTimeout as sleep } from 'node:timers/promises';
import { main } from './cli/main.js';
import { closeEngines } from './engine/index.js';

const INTERRUPTED = 130;
/** Longer than any one call of a large model takes. */
const CLOSING_MS = 30_000;

const abort = new AbortController();
let interruptedMs = 0;

// The first interrupt lets a run end in good order, a second one ends it at once. npm and the terminal may both deliver the same one.
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (abort.signal.aborted && performance.now() - interruptedMs > 1000) void exitNow(INTERRUPTED);
    if (!abort.signal.aborted) interruptedMs = performance.now();
    abort.abort();
  });
}

const code = await main(process.argv.slice(2), abort.signal);
// What was interrupted may go on in the background.
if (abort.signal.aborted) await exitNow(code);
process.exitCode = code;

/** Ends the process without waiting for anything but the call that an engine is in: to end meanwhile would be a crash. */
async function exitNow(code: number): Promise<never> {
  await Promise.race([closeEngines(), sleep(CLOSING_MS)]);
  process.exit(code);
}
