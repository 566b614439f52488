// `npm start`: installs and builds what is missing, then runs an experiment on the embedded default: mos where NISQA's weights are at hand or
// can be downloaded, else even-token, which needs nothing. Arguments are passed on: npm start -- --iterations 5
import { buildWhereStale, installWhereMissing, runNode } from './setup.mjs';

await installWhereMissing();
await buildWhereStale();
const experiment = await chooseExperiment();
process.exitCode = await runNode(['dist/lib/cli.js', experiment, ...process.argv.slice(2)]);

async function chooseExperiment() {
  const { findWeights } = await import('../dist/lib/scoring/weights-path.js');
  const { sentenceOf } = await import('../dist/lib/plain-error.js');
  const { NISQA } = await import('../dist/lib/scoring/nisqa/published.js');
  try {
    await findWeights(NISQA.place, undefined, (sentence) => console.error(sentence));
    return 'mos';
  } catch (error) {
    console.log(`running the even-token experiment instead of mos: ${sentenceOf(error)}`);
    return 'even-token';
  }
}
