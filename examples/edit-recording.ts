/**
 * Edits a recording: `node dist/examples/edit-recording.js in.wav "Make it faster."`. Without arguments it edits one that the embedded model
 * brings as codes. The embedded model has heard synthetic voices alone; a policy of yours is named by `policy`.
 */
import { writeFile } from 'node:fs/promises';
import { CpuDevice, editRecording, encodeWav, loadPolicy, loadPrompts, openCodec } from 'speech-dpo';

const device = new CpuDevice();
let [wav, instruction] = process.argv.slice(2);
if (!wav) {
  const codec = await openCodec('default', device);
  const { tokenizer } = await loadPolicy('default');
  const [item] = (await loadPrompts('default', tokenizer)).test;
  await writeFile('in.wav', encodeWav(await codec.decode(item.src_encodec), codec.sampleRateHz));
  await codec.dispose();
  [wav, instruction] = ['in.wav', item.instruction];
}
const { sourceSeconds, resultSeconds } = await editRecording({
  ...{ model: 'default', wav, instruction, output: 'out.wav', overwrite: true, device },
  ...{ seed: 7, temperature: 0.8, maxNewTokens: 400 },
});
console.log(`${instruction} ${sourceSeconds.toFixed(2)} s became ${resultSeconds.toFixed(2)} s, in out.wav`);
await device.close();
