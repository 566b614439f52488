import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, cpSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { findPackageRoot } from '../../../lib/package-root.js';
import { kernelCommand, makeConnection, openChannels } from '../../support/kernel.js';
import { temporaryFolder } from '../../support/temporary-folder.js';

/** Starts the command in its arguments in a session of its own, as Jupyter does, says its process id and stays. */
const STARTER = `
  const [command, ...args] = process.argv.slice(1);
  const child = require('node:child_process').spawn(command, args, { detached: true, stdio: ['ignore', 'ignore', 'inherit'] });
  process.stdout.write(String(child.pid));
  setInterval(() => undefined, 1000);
`;

it('a kernel starts in a folder of any name, and ends when what started it is killed, whatever a cell does', async () => {
  const original = findPackageRoot();
  const root = join(temporaryFolder(), process.platform === 'win32' ? 'a #b%41' : 'a #b?c%41');
  mkdirSync(join(root, 'notebooks'), { recursive: true });
  cpSync(join(original, 'dist'), join(root, 'dist'), { recursive: true });
  copyFileSync(join(original, 'package.json'), join(root, 'package.json'));
  symlinkSync(join(original, 'node_modules'), join(root, 'node_modules'), 'junction');
  const connection = await makeConnection(root);
  const starter = spawn(process.execPath, ['-e', STARTER, ...kernelCommand(root, connection)], {
    cwd: join(root, 'notebooks'),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let log = '';
  starter.stderr.on('data', (chunk: Buffer) => (log += chunk.toString()));
  const [pid] = ((await once(starter.stdout, 'data')) as [Buffer]).map(Number);
  // The kernel holds the pipe too.
  const bothEnded = once(starter.stderr, 'close');
  onTestFinished(() => {
    starter.kill('SIGKILL');
    if (!starter.stderr.closed) process.kill(pid, 'SIGKILL');
  });
  const lost = bothEnded.then(() => {
    throw new Error(`the kernel ended:\n${log}`);
  });
  const channels = await openChannels(connection, lost);
  onTestFinished(channels.close);
  const execute = (code: string) => channels.request('execute_request', { code, stop_on_error: true });

  const { reply } = await execute("import { evenTokenReward } from '../lib'; evenTokenReward;");
  expect(reply).toMatchObject({ status: 'ok' });

  execute('for (;;);').catch(() => undefined);
  await sleep(500);
  starter.kill('SIGKILL');
  await bothEnded;
});
