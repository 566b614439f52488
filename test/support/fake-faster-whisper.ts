/** Stands for a Python with faster-whisper. It misbehaves at recordings of a certain number of samples. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from './temporary-folder.js';

/** Of how many samples a recording is at which it misbehaves, and how. */
export const FAULTS = {
  crash: 1001,
  crashOnce: 1002,
  garbage: 1003,
  hang: 1004,
  wrong: 1005,
  complain: 1006,
};

export const READY = '{"ready":{"folder":"","versions":{}}}';

/**
 * Writes the program into a new folder; `starts` are the process ids of those that ran.
 *
 * @param start the first line that it writes
 * @param hear JavaScript: what it hears in so many samples
 */
export function writeFakePython(
  start = READY,
  hear = "samples + ' samples'",
): { python: string; starts: () => number[] } {
  const folder = temporaryFolder();
  const [python, log, once] = ['python', 'starts', 'once'].map((name) => join(folder, name));
  writeFileSync(
    python,
    `#!${process.execPath}
    const { appendFileSync, existsSync, writeFileSync } = require('node:fs');
    appendFileSync(${JSON.stringify(log)}, process.pid + '\\n');
    const faults = ${JSON.stringify(FAULTS)};
    console.log(${JSON.stringify(start)});
    require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
      const samples = Buffer.from(JSON.parse(line).samples, 'base64').length / 4;
      if (samples === faults.crash) process.kill(process.pid, 'SIGKILL');
      else if (samples === faults.crashOnce && !existsSync(${JSON.stringify(once)})) {
        writeFileSync(${JSON.stringify(once)}, '');
        console.error('Traceback\\nMemoryError: no room');
        process.exit(3);
      } else if (samples === faults.garbage) console.log('Loading weights ...');
      else if (samples === faults.hang) return;
      else if (samples === faults.wrong) console.log('{"texts":"none"}');
      else if (samples === faults.complain) console.log('{"error":"RuntimeError: no such kernel"}');
      else console.log(JSON.stringify({ text: ${hear} }));
    });`,
    { mode: 0o755 },
  );
  const starts = () => (existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n').map(Number) : []);
  return { python, starts };
}
