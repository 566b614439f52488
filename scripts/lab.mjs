// `npm run lab`: opens JupyterLab on notebooks/, on this machine only and with a token. Installs and builds what is missing first.
// Arguments are passed on to JupyterLab: npm run lab -- --no-browser --port=9000
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { command, jupyterEnvironment, prepareLab } from './lab/environment.mjs';
import { root } from './setup.mjs';

await prepareLab();

const args = [
  // Not the command jupyter, which holds the path of the Python it was installed for: the project's folder may have moved.
  '-m',
  'jupyterlab',
  '--ip=127.0.0.1',
  `--ServerApp.root_dir=${root}`,
  '--LabApp.default_url=/lab/tree/notebooks',
  // A root user (containers) would be refused otherwise; the server listens on this machine only and asks for a token.
  ...(process.getuid?.() === 0 ? ['--allow-root'] : []),
  ...process.argv.slice(2),
];
const lab = spawn(command('python'), args, { cwd: root, env: jupyterEnvironment(), stdio: 'inherit' });
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => lab.kill(signal));
lab.on('error', (error) => {
  console.error(`JupyterLab cannot be started (${error.message}): remove .venv and run npm run lab again`);
  process.exitCode = 2;
});
lab.on('close', (code, signal) => {
  process.exitCode = code ?? 128 + constants.signals[signal];
});
