/**
 * Compares models of the research code's size with what transformers computed: see make.py.
 *
 *     node dist/bench/base-size/compare.js FOLDER
 */
import { CpuDevice } from '../../lib/engine/index.js';
import { join } from 'node:path';
import { bart } from '../../lib/policy/bart/bart.js';
import { loadPretrained } from '../../lib/policy/pretrained.js';
import { loadTokenizer } from '../../lib/policy/tokenizer.js';
import { verifyCodec } from '../../lib/verify/codec.js';
import { verifyForward, verifyGreedy } from '../../lib/verify/forward.js';
import { readCodecGolden, readForwardGolden } from '../../lib/verify/golden.js';
import { equalRow, row, type VerifyRow } from '../../lib/verify/rows.js';
import { createProgram } from '../../recipes/program.js';

const device = new CpuDevice();

/** Of logits, hidden states and log-probabilities of twelve layers in float32. */
const TOLERANCE = 1e-3;
const CODEC = { codebooks: 8, codebookSize: 1024 };

const [folder] = createProgram(
  'node dist/bench/base-size/compare.js',
  "compare models of the research code's size with what transformers computed",
)
  .argument('<folder>', 'what make.py wrote')
  .parse().processedArgs as [string];

await report('EnCodec', async () => verifyCodec(folder, await readCodecGolden(folder), device));
const golden = await readForwardGolden(folder);
await report('tokenizers', async () => [
  await verifyTokenizer('tiny_bart', 'tokenizer.json'),
  await verifyTokenizer('bart_bin', 'vocab.json and merges.txt'),
]);
const model = await loadPretrained(join(folder, 'tiny_bart'), [bart]);
await report('forward', async () =>
  (await verifyForward(model, golden, device)).map(({ quantity, difference }) =>
    row(quantity, difference, TOLERANCE),
  ),
);
await report('greedy', async () => [await verifyGreedy(model, golden, device)]);
await report('pytorch_model.bin', async () => {
  const { weights } = await loadPretrained(join(folder, 'bart_bin'));
  const bytesOf = ({ data }: { data: Float32Array }) =>
    Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  const isEqual = [...weights].every(([name, tensor]) =>
    bytesOf(tensor).equals(bytesOf(model.weights.get(name)!)),
  );
  return [equalRow('weights from pytorch_model.bin', isEqual)];
});

async function verifyTokenizer(name: string, files: string): Promise<VerifyRow> {
  const tokenizer = await loadTokenizer(join(folder, name), CODEC);
  const texts = golden.instructions as string[];
  const ids = texts.map((text) => tokenizer.encodeText(text));
  const isEqual = JSON.stringify(ids) === JSON.stringify(golden.text_ids) && tokenizer.firstCodeId === 50_265;
  return equalRow(`ids of texts, by ${files}`, isEqual);
}

async function report(name: string, verify: () => Promise<VerifyRow[]>): Promise<void> {
  const startMs = performance.now();
  for (const { quantity, difference, tolerance, pass } of await verify()) {
    console.log(
      `${pass ? 'pass' : 'FAIL'}  ${quantity}: ${difference.toExponential(1)} (at most ${tolerance})`,
    );
    if (!pass) process.exitCode = 1;
  }
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
  const peakGigabytes = (process.resourceUsage().maxRSS / 1e6).toFixed(2);
  console.log(`      ${name}: ${seconds} s, peak memory so far ${peakGigabytes} GB`);
}
