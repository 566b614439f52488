// `npm run lab`: opens JupyterLab on notebooks/, on this machine only and with a token. Installs and builds what is missing first.
// Arguments are passed on to JupyterLab: npm run lab -- --no-browser --port=9000
import { labArguments } from './lab/arguments.mjs';
import { command, jupyterEnvironment, prepareLab } from './lab/environment.mjs';
import { run } from './setup.mjs';

await prepareLab();

try {
  process.exitCode = await run(command('python'), labArguments(process.argv.slice(2)), jupyterEnvironment());
} catch (error) {
  console.error(`JupyterLab cannot be started (${error.message}): remove .venv and run npm run lab again`);
  process.exitCode = 2;
}
