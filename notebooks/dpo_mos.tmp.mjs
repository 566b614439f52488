import { beforeAfterTable, chooseParameters, evaluationTable, guardCurves, guardTable, lengthDistribution, listen, logProbabilityCurves, openRun, rewardCurves, rewardDistribution, show, trainingCurves, writeReport, WHY_BOTH_MAY_FALL, } from '../dist/lib/index.js';
;
const { parameters, table } = chooseParameters('mos', {
    //                  quick  notebook  original
    iterations: [1, 3, 30], // rounds of sampling, scoring, training and evaluating
    trainPrompts: [3, 10, 10], // prompts that are sampled and trained on
    testPrompts: [2, 10, 10], // held-out prompts, evaluated only
    sampleSize: [4, 10, 10], // samples of each training prompt
    pairsPerPrompt: [2, 2, 1], // preference pairs from each prompt's samples
    numEval: [2, 5, 10], // samples of each prompt in an evaluation
    beta: [0.003, 0.003, 0.1], // strength of the pull to the reference policy
    learningRate: [1e-4, 1e-4, 5e-7], // of AdamW, falls linearly to 0
    epochs: [3, 10, 500], // passes over the pairs in each iteration
    batchSize: [3, 3, 1], // pairs in a step
});
show(table);
;
const run = await openRun(parameters);
show(await listen(run.outputDirectory, { split: 'test', roles: ['source', 'target'], prompts: 1 }));
;
await run.evaluateOriginal();
show(evaluationTable(run.events, 'test'), guardTable(run.events));
;
await run.iterate();
show(beforeAfterTable(run.events), guardTable(run.events));
;
show(rewardCurves(run.events, run.rewardLabel));
;
show(rewardDistribution(run.events, 'test', run.rewardLabel));
;
show(trainingCurves(run.events));
;
show(logProbabilityCurves(run.events), { html: `<p>${WHY_BOTH_MAY_FALL}</p>`, text: WHY_BOTH_MAY_FALL });
;
show(guardCurves(run.events), lengthDistribution(run.events, 'test'));
;
show(await listen(run.outputDirectory, { split: 'test' }));
;
console.log(await writeReport(run.outputDirectory));
