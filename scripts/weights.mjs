// `npm run weights`: installs and builds what is missing, then downloads the weights of NISQA and DNSMOS into the user's cache, where
// they are missing; for work without a network later. Names of metrics choose some: npm run weights -- dnsmos similarity naturalness
import { buildWhereStale, installWhereMissing } from './setup.mjs';

await installWhereMissing();
await buildWhereStale();
const { METRIC_NAMES, openMetric } = await import('../dist/lib/scoring/metrics.js');
// What a metric compares with has no part in where its weights are.
const reference = { samples: new Float32Array(16000).fill(0.1), sampleRateHz: 16000 };
const names = process.argv.length > 2 ? process.argv.slice(2) : ['nisqa', 'dnsmos'];
for (const given of names) {
  try {
    const name = METRIC_NAMES.find((each) => each === given);
    if (!name) throw new Error(`there is no metric ${given}; metrics are ${METRIC_NAMES.join(', ')}`);
    await openMetric(name, { reference }, { onNotice: (sentence) => console.error(sentence) });
    console.log(`${name}: ready`);
  } catch (error) {
    console.error(`error: ${error.message}`);
    process.exitCode = 2;
  }
}
