/** A reward of your own: one function that scores a sample. The run is far smaller than a real one, which leaves `small` out. */
import { parseParameters, presets, rewardOf, runExperiment } from 'speech-dpo';

const reward = rewardOf('restless', 'share of codes that differ from the one before', ({ codes }) => {
  if (codes.length < 2) return null;
  const changes = codes.filter((code, i) => i > 0 && code !== codes[i - 1]).length;
  return changes / (codes.length - 1);
});

const small = {
  ...{ iterations: 1, trainPrompts: 2, testPrompts: 2, sampleSize: 4, numEval: 2, epochs: 1 },
  ...{ pairsPerPrompt: 2, audioPrompts: 0 },
};
const parameters = parseParameters({ ...presets['even-token'], ...small, seed: 7 });
for await (const event of runExperiment(parameters, { root: '.', reward })) {
  if (event.type === 'started') console.log(`the run is in ${event.modelDirectory}`);
  if (event.type === 'paired') console.log(`${event.pairs} pairs to train on`);
  if (event.type === 'evaluated' && event.split === 'test') {
    const policy = event.iteration < 0 ? 'before' : `after iteration ${event.iteration}`;
    console.log(`${policy}: held-out reward ${event.statistics.mean.toFixed(3)}`);
  }
}
