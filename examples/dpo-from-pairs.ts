/**
 * DPO from pairs: `node dist/examples/dpo-from-pairs.js data_iter_0.json` trains on the pairs that a run has written. Without a file it makes
 * four of the embedded dataset: the edit that was asked for is chosen, the recording as it was is rejected.
 */
import { CpuDevice, loadPolicy, loadPrompts, packCompletion, packPairs, packPrompt } from 'speech-dpo';
import { readDataFile, savePolicy, trainDpo } from 'speech-dpo';

const policy = await loadPolicy('default');
const [file] = process.argv.slice(2);
const pairs = file
  ? packPairs(policy, await readDataFile(file))
  : (await loadPrompts('default', policy.tokenizer)).train.slice(0, 4).map((item) => ({
      prompt: packPrompt(policy, item.instruction, item.src_encodec[0]),
      chosen: packCompletion(policy, item.tgt_encodec[0]),
      rejected: packCompletion(policy, item.src_encodec[0]),
    }));

const device = new CpuDevice();
const training = { device, beta: 0.1, learningRate: 1e-4, epochs: 2, batchSize: 2, seed: 1 };
for await (const event of trainDpo(policy, pairs, training)) {
  if (event.type !== 'step') continue;
  const { loss, 'rewards/margins': margin } = event.metrics;
  console.log(`step ${event.step}: loss ${loss.toFixed(4)}, margin ${margin?.toFixed(4)}`);
}
await savePolicy(policy, 'trained_policy');
await device.close();
