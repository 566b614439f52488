#!/usr/bin/env node
/** The process of a command line: what ends it, and in which order. `cli/main.ts` has the commands. */
import { setTimeout as sleep } from 'node:timers/promises';
import { exitCodeOf } from './cli/exit-code.js';
import { main } from './cli/main.js';
import { leaveTerminalAtExit, watchStandardStreams } from './cli/standard-streams.js';
import { closeDevices } from './engine/index.js';

const INTERRUPTED = 130;
/** Longer than any one call of a large model takes. */
const CLOSING_MS = 30_000;
/** For files that are being read or written. */
const THREADS_MS = 1000;
const POLL_MS = 50;
const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

const args = process.argv.slice(2);
const abort = new AbortController();
watchStandardStreams(abort);
let interruptedMs = 0;

// The first interrupt lets a run end in good order, a second one ends it at once. npm and the terminal may both deliver the same one.
for (const signal of SIGNALS) {
  process.on(signal, () => {
    if (abort.signal.aborted && performance.now() - interruptedMs > 1000) void exitNow(INTERRUPTED);
    if (!abort.signal.aborted) interruptedMs = performance.now();
    abort.abort();
  });
}

// The terminal was closed, which shell and system may tell one after the other: in good order as well.
process.once('SIGHUP', leaveTerminalAtExit).on('SIGHUP', () => abort.abort());

let isOver = false;
// What nobody waits for, such as a timer of a person's reward, ends the command in good order too, unless that is what it broke.
process.on('uncaughtException', (error) => {
  abort.abort(error);
  void sleep(isOver ? 0 : CLOSING_MS).then(() => exitNow(exitCodeOf(error, ['speech-dpo', ...args])));
});

// Nothing is left that could settle what is waited for; Node.js would end the command without a word.
process.on('beforeExit', () => {
  if (!isOver)
    abort.abort(
      new Error(
        'the command waits for a promise that nothing settles any more, as a reward of your own gives one that neither resolves nor rejects',
      ),
    );
});

const code = await main(args, abort.signal);
isOver = true;
// What was interrupted may go on in the background.
if (abort.signal.aborted) await exitNow(code);
process.exitCode = code;

/**
 * Ends the process without waiting for anything but the call that an engine is in, which would be a crash otherwise. `process.exit` waits
 * for the threads that read files and look up names: where one hangs, the signal that interrupted it is left to do what it does by itself.
 */
async function exitNow(code: number): Promise<void> {
  await Promise.race([closeDevices(), sleep(CLOSING_MS)]);
  for (let waitedMs = 0; isWaitingForThreads() && waitedMs < THREADS_MS; waitedMs += POLL_MS)
    await sleep(POLL_MS);
  if (!isWaitingForThreads()) process.exit(code);
  for (const signal of SIGNALS) process.removeAllListeners(signal);
  process.kill(process.pid, 'SIGINT');
}

function isWaitingForThreads(): boolean {
  return process
    .getActiveResourcesInfo()
    .some((name) => /^(FSReq|FileHandle|GetAddrInfo|GetNameInfo)/.test(name));
}
