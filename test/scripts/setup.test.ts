import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { temporaryFolder } from '../support/temporary-folder.js';

const SETUP = new URL('../../scripts/setup.mjs', import.meta.url).href;

it.skipIf(process.platform === 'win32').each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
  '%s reaches the program that a script runs, and nothing else is started after it',
  async (signal) => {
    const folder = temporaryFolder();
    const program = join(folder, 'program.mjs');
    writeFileSync(
      program,
      `process.on('${signal}', () => { console.log('stopped'); process.exit(7); });
       setInterval(() => undefined, 1000);
       console.log('started');`,
    );
    const script = join(folder, 'script.mjs');
    writeFileSync(
      script,
      `import { runNode } from ${JSON.stringify(SETUP)};
       await runNode([${JSON.stringify(program)}]);
       console.log('went on');`,
    );
    const child = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      if (output === 'started\n') child.kill(signal);
    });
    const [code] = (await once(child, 'close')) as [number];
    expect({ output, code }).toEqual({ output: 'started\nstopped\n', code: 7 });
  },
);
