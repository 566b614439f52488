/**
 * The thread beside a kernel's main thread, for what that cannot do while code keeps it busy: it hears the stop button and ends code
 * that never lets go (`for (;;) await null`), and it ends the kernel when the process that started it is gone.
 */
import { Session } from 'node:inspector';
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import { ANSWERED, BREAK_OUT, PATIENCE_MS, type Finding, type Shared } from './watchdog.js';

/** Node.js gives signals to the main thread only; what its `process.on` is made of works in every thread. */
interface Internals {
  internalBinding(name: 'signal_wrap'): {
    Signal: new () => { onsignal: () => void; start(signal: number): number };
  };
}

const LOOK_MS = 50;
const LOOK_FOR_PARENT_MS = 500;
/** How long the main thread may take to end by SIGTERM. */
const END_MS = 2000;

const { shared, parent } = workerData as { shared: Shared; parent: number };
let question = 0;
let waiting: NodeJS.Timeout | undefined;

const { internalBinding } = createRequire(import.meta.url)('internal/test/binding') as Internals;
const { Signal } = internalBinding('signal_wrap');
const interrupts = new Signal();
interrupts.onsignal = () => {
  question += 1;
  parentPort!.postMessage(question);
  waitForAnswer(performance.now());
};
interrupts.start(constants.signals.SIGINT);

const starter = process.platform === 'win32' ? undefined : Number(process.env.JPY_PARENT_PID) || undefined;
const lookForParent = setInterval(() => {
  const isThere = process.ppid === parent && exists(parent) && (starter === undefined || exists(starter));
  if (isThere) return;
  clearInterval(lookForParent);
  process.kill(process.pid, 'SIGTERM');
  setTimeout(() => process.kill(process.pid, 'SIGKILL'), END_MS);
}, LOOK_FOR_PARENT_MS);

/** The main thread answers as soon as its event loop turns, and turns again. */
function waitForAnswer(sinceMs: number): void {
  clearTimeout(waiting);
  waiting = setTimeout(() => {
    if (isAnswered()) return;
    const isLate = performance.now() - sinceMs >= Atomics.load(shared, PATIENCE_MS);
    if (isLate) breakOut(false);
    waitForAnswer(isLate ? performance.now() : sinceMs);
  }, LOOK_MS);
}

function isAnswered(): boolean {
  return Atomics.load(shared, ANSWERED) >= question;
}

/** @param isSure that the main thread does not only look idle */
function breakOut(isSure: boolean): void {
  const session = new Session();
  session.connectToMainThread();
  const expression = `${BREAK_OUT}(${isSure})`;
  session.post('Runtime.evaluate', { expression, returnByValue: true }, (error, answer) => {
    const finding = error ? undefined : (answer.result.value as Finding);
    if (finding === 'busy') {
      session.post('Runtime.terminateExecution', () => {
        session.disconnect();
      });
      return;
    }
    session.disconnect();
    // Between two promises a thread looks idle. One that is idle has an event loop, which answers now.
    if (finding === 'idle') setTimeout(() => isAnswered() || breakOut(true), LOOK_MS);
  });
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}
