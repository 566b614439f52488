import { chooseParameters, measureRecordings, metricTable, players, renderItems, show, watch, waveforms, } from '../dist/lib/index.js';
;
const { parameters, table } = chooseParameters('even-token', {
    //             quick  notebook  original
    testPrompts: [2, 2, 2], // items whose audio is made
    trainPrompts: 1, // not used here
    seed: [42, 42, 42], // another seed, another sample
    temperature: [1, 1, 1], // divides the logits before sampling
    policy: null, // checkpoint instead of the embedded policy
});
show(table);
;
const items = [];
await watch((signal) => renderItems(parameters, { root: '..', signal }, items), 'loading policy and codec ...');
;
const named = items.map(({ source, target, sample, sampleRateHz }) => [
    { name: 'source', samples: source, sampleRateHz },
    { name: 'target', samples: target, sampleRateHz },
    { name: 'policy', samples: sample, sampleRateHz },
]);
for (const [i, recordings] of named.entries()) {
    console.log(items[i].instruction);
    show(waveforms(recordings), players(recordings));
}
;
const alone = ['nisqa', 'dnsmos', 'silence', 'transcript'];
for (const recordings of named) {
    show(metricTable(['source', 'target', 'policy'], await measureRecordings(recordings, {}, alone)));
}
;
const comparing = ['pesq', 'stoi', 'estoi'];
for (const [, target, policy] of named) {
    show(metricTable(['target', 'policy'], await measureRecordings([target, policy], { reference: target }, comparing)));
}
;
for (const [source, target, policy] of named) {
    const [{ scores: heard }] = await measureRecordings([source], {}, ['transcript']);
    const text = heard instanceof Error ? undefined : String(heard[0]);
    show(metricTable(['target', 'policy'], await measureRecordings([target, policy], { text }, ['wer'])));
}
