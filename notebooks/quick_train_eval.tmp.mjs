import { asBeforeAndAfter, beforeAfterTable, chooseSettings, findRun, lengthDistribution, logProbabilityCurves, rewardDistribution, rewardLabel, scoreCheckpoint, show, startOf, trainFrom, trainingCurves, trainingParameters, watch, WHY_BOTH_MAY_FALL, } from '../dist/lib/index.js';
;
const { settings, table } = chooseSettings({
    //               quick         notebook      original
    run: '', // name of the run to continue
    iteration: 0, // checkpoint iter_k that training starts from
    pairs: 0, // data_iter_k.json it is trained on
    epochs: [2, 6, 100], // passes over the pairs
    learningRate: [2e-5, 2e-5, 1e-6], // of AdamW, falls linearly to 0
    beta: [0.1, 0.1, 0.1], // strength of the pull to the reference policy
    batchSize: [3, 3, 1], // pairs in a step
    reward: ['even-token', 'mos', 'mos'], // what samples are scored by: mos, length or even-token
    indices: ['0-1', '0-9', '0-9'], // held-out prompts to score
    samples: [2, 5, 10], // samples of each prompt
});
show(table);
;
const start = await findRun(settings.run);
const checkpoint = `${start.modelDirectory}/iter_${settings.iteration}`;
const pairs = `${start.outputDirectory}/data_iter_${settings.pairs}.json`;
console.log(checkpoint, pairs);
;
const { epochs, learningRate, beta, batchSize } = settings;
const parameters = await trainingParameters(pairs, { policy: `${checkpoint}/dpo_model`, epochs, learningRate, beta, batchSize });
const training = await watch((signal) => trainFrom(pairs, parameters, { root: '..', signal }), 'loading ...');
;
show(trainingCurves(training), logProbabilityCurves(training), { html: `<p>${WHY_BOTH_MAY_FALL}</p>`, text: WHY_BOTH_MAY_FALL });
;
const before = await scoreCheckpoint(checkpoint, settings);
;
const after = await scoreCheckpoint(`${startOf(training).modelDirectory}/iter_${settings.pairs}`, settings);
;
const compared = asBeforeAndAfter(before, after);
const label = rewardLabel({ reward: settings.reward, rewardModel: 'nisqa' });
show(beforeAfterTable(compared), rewardDistribution(compared, 'test', label), lengthDistribution(compared, 'test'));
