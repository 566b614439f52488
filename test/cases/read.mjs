// Reads files by the compiled library, under whichever Node.js runs this: `node read.mjs items FILE...`, `wav` or `policy`.
// Prints a line of JSON for each, `{"value": ...}` or, with the class of what was thrown, `{"error": "Error: ..."}`. Of the library it loads
// the part that reads them, since the whole takes more than half a second.
const CODEC = { codebooks: 8, codebookSize: 256 };

const READERS = {
  async items(path) {
    const { readItems } = await import('../../dist/lib/data/items.js');
    const items = [];
    for await (const item of readItems(path, CODEC)) items.push(item);
    return items;
  },
  async wav(path) {
    const { readWav } = await import('../../dist/lib/audio/index.js');
    const { channels, sampleRateHz } = await readWav(path);
    const squares = channels[0].reduce((sum, sample) => sum + sample ** 2, 0);
    const peak = channels[0].reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
    const decibels = (ratio) => 20 * Math.log10(ratio);
    const levelDb = decibels(Math.sqrt(squares / channels[0].length));
    return { samples: channels[0].length, sampleRateHz, levelDb, peakDb: decibels(peak) };
  },
  async policy(path) {
    const { loadPolicy } = await import('../../dist/lib/policy/index.js');
    return (await loadPolicy(path)).config.model_type;
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
