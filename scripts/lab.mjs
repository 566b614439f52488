// `npm run lab`: opens JupyterLab on notebooks/, on this machine only and with a token. Installs and builds what is missing first.
// Arguments are passed on to JupyterLab: npm run lab -- --no-browser --port=9000
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { labArguments } from './lab/arguments.mjs';
import { command, jupyterEnvironment, prepareLab } from './lab/environment.mjs';
import { root } from './setup.mjs';

await prepareLab();

const args = labArguments(process.argv.slice(2));
const lab = spawn(command('python'), args, { cwd: root, env: jupyterEnvironment(), stdio: 'inherit' });
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => lab.kill(signal));
lab.on('error', (error) => {
  console.error(`JupyterLab cannot be started (${error.message}): remove .venv and run npm run lab again`);
  process.exitCode = 2;
});
lab.on('close', (code, signal) => {
  process.exitCode = code ?? 128 + constants.signals[signal];
});
