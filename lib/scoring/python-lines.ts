/** A Python program that stays alive and answers with lines of JSON. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { OnNotice } from '../notice.js';
import { endWithProcess } from './python.js';

/** How much of what it wrote to standard error is kept to tell why it ended. */
const COMPLAINT_CHARACTERS = 4000;

/** A program that runs. It does not keep this process alive while nobody waits for an answer. */
export interface PythonLines {
  /**
   * Sends a line, and waits for one. One question at a time.
   *
   * @param question nothing is sent where there is none: the program says something of its own accord
   * @param seconds that the answer may take, from the last notice on
   * @throws Error when the program ended, wrote what is no JSON, or did not answer in time; it is killed then
   */
  ask(question: object | undefined, seconds: number): Promise<unknown>;
  /** Kills it. @param reason what a question that waits ends with */
  kill(reason?: unknown): void;
}

/**
 * Starts a Python program. Lines `{"notice": "..."}` are told, and no answers.
 *
 * @param environment beside this process's own
 */
export function startPythonLines(
  python: string,
  args: readonly string[],
  { environment, onNotice }: { environment?: NodeJS.ProcessEnv; onNotice?: OnNotice } = {},
): PythonLines {
  const child = spawn(python, args, { env: { ...process.env, ...environment } });
  endWithProcess(child);
  for (const each of [child, child.stdin, child.stdout, child.stderr])
    (each as Partial<NodeJS.Timeout>).unref?.();
  let complaints = '';
  let over: { reason: unknown } | undefined;
  let waiting: { resolve: (answer: unknown) => void; reject: (reason: unknown) => void } | undefined;
  let restartClock: () => void = () => undefined;

  function end(reason: unknown): void {
    over ??= { reason };
    waiting?.reject(over.reason);
    child.kill('SIGKILL');
  }

  child.stderr
    .setEncoding('utf8')
    .on('data', (text: string) => (complaints = (complaints + text).slice(-COMPLAINT_CHARACTERS)));
  child.on('error', (error) => end(new Error(`cannot run ${python}: ${error.message}`, { cause: error })));
  child.on('close', (code, signal) => {
    const how = `${python} ended with ${signal ?? `code ${code}`}`;
    // The last line of a traceback says what went wrong.
    const last = complaints.trim().split('\n').at(-1);
    end(new Error(last ? `${how}: ${last}` : how));
  });
  // A program that ends without reading says why itself.
  child.stdin.on('error', () => undefined);
  createInterface({ input: child.stdout }).on('line', (line) => {
    const answer = parse(line);
    const notice = (answer as { notice?: unknown } | undefined)?.notice;
    if (typeof notice === 'string') {
      restartClock();
      onNotice?.(notice);
    } else if (answer === undefined || !waiting) {
      end(new Error(`${python} wrote something that is no answer: ${line.slice(0, 200)}`));
    } else {
      waiting.resolve(answer);
      waiting = undefined;
    }
  });

  return {
    async ask(question, seconds) {
      if (over) throw over.reason;
      const late = () => end(new Error(`${python} gave no answer for ${seconds} s`));
      let timer = setTimeout(late, 1000 * seconds);
      restartClock = () => {
        clearTimeout(timer);
        timer = setTimeout(late, 1000 * seconds);
      };
      try {
        return await new Promise((resolve, reject) => {
          waiting = { resolve, reject };
          if (question) child.stdin.write(`${JSON.stringify(question)}\n`);
        });
      } finally {
        clearTimeout(timer);
        // A notice that comes later would start a clock that nobody stops.
        restartClock = () => undefined;
        waiting = undefined;
      }
    },
    kill: (reason = new Error(`${python} was ended`)) => end(reason),
  };
}

/** An object; undefined for a line that is none. */
function parse(line: string): object | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}
