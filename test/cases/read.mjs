// Reads files by the compiled library, under whichever Node.js runs this: `node read.mjs items FILE...`, `wav`, `policy` or `codec`.
// Prints a line of JSON for each, `{"value": ...}` or, with the class of what was thrown, `{"error": "Error: ..."}`.
import { CpuDevice, openCodec, loadPolicy, readItems, readWav } from '../../dist/lib/index.js';

const CODEC = { codebooks: 8, codebookSize: 256 };

const device = new CpuDevice();

const READERS = {
  async items(path) {
    const items = [];
    for await (const item of readItems(path, CODEC)) items.push(item);
    return items;
  },
  async wav(path) {
    const { channels, sampleRateHz } = await readWav(path);
    const squares = channels[0].reduce((sum, sample) => sum + sample ** 2, 0);
    const peak = channels[0].reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
    const decibels = (ratio) => 20 * Math.log10(ratio);
    const levelDb = decibels(Math.sqrt(squares / channels[0].length));
    return { samples: channels[0].length, sampleRateHz, levelDb, peakDb: decibels(peak) };
  },
  async policy(path) {
    return (await loadPolicy(path)).config.model_type;
  },
  async codec(path) {
    return (await openCodec(path, device)).codebooks;
  },
};

const [kind, ...paths] = process.argv.slice(2);
for (const path of paths) {
  const outcome = await READERS[kind](path).then(
    (value) => ({ value }),
    (error) => ({ error: `${error.constructor.name}: ${error.message}` }),
  );
  console.log(JSON.stringify(outcome));
}
