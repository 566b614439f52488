// `npm run lab`: opens JupyterLab on notebooks/, on this machine only and with a token. Installs and builds what is missing first.
// With SPEECH_DPO_MODE=quick it opens copies in notebooks-quick/, so that what is saved there overwrites no committed outputs.
// Arguments are passed on to JupyterLab: npm run lab -- --no-browser --port=9000
import { labArguments } from './lab/arguments.mjs';
import { command, jupyterEnvironment, prepareLab } from './lab/environment.mjs';
import { copyForQuickMode, QUICK_FOLDER } from './lab/quick-copies.mjs';
import { root, run } from './setup.mjs';

await prepareLab();

const isQuick = process.env.SPEECH_DPO_MODE === 'quick';
if (isQuick) {
  copyForQuickMode(root);
  console.log(
    `Quick mode: JupyterLab opens copies of the notebooks in ${QUICK_FOLDER}/. Remove that folder for fresh ones.`,
  );
}

const args = labArguments(process.argv.slice(2), isQuick ? QUICK_FOLDER : undefined);
try {
  process.exitCode = await run(command('python'), args, jupyterEnvironment());
} catch (error) {
  console.error(`JupyterLab cannot be started (${error.message}): remove .venv and run npm run lab again`);
  process.exitCode = 2;
}
