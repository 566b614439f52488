// `npm run weights`: installs and builds what is missing, then downloads the weights of NISQA and DNSMOS into the user's cache, where
// they are missing; for work without a network later. Names choose some: npm run weights -- dnsmos
import { buildWhereStale, installWhereMissing } from './setup.mjs';

await installWhereMissing();
await buildWhereStale();
const { openMetric } = await import('../dist/lib/scoring/metrics.js');
const names = process.argv.length > 2 ? process.argv.slice(2) : ['nisqa', 'dnsmos'];
for (const name of names) {
  try {
    await openMetric(name, {}, { onNotice: (sentence) => console.error(sentence) });
    console.log(`${name}: ready`);
  } catch (error) {
    console.error(`error: ${error.message}`);
    process.exitCode = 2;
  }
}
