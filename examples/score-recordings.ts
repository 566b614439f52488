/**
 * Scores recordings: `node dist/examples/score-recordings.js a.wav b.wav`. Without any it scores two that the embedded model brings as codes.
 * Level and silence need no weights; `nisqa` and `dnsmos` are further names of `metrics` where `npm run weights` has fetched theirs.
 */
import { writeFile } from 'node:fs/promises';
import { CpuDevice, encodeWav, loadPolicy, loadPrompts, openCodec, scoreFiles } from 'speech-dpo';

let files = process.argv.slice(2);
if (files.length === 0) {
  const device = new CpuDevice();
  const codec = await openCodec('default', device);
  const { tokenizer } = await loadPolicy('default');
  const [item] = (await loadPrompts('default', tokenizer)).test;
  console.log(`the edit is: ${item.instruction}`);
  await writeFile('source.wav', encodeWav(await codec.decode(item.src_encodec), codec.sampleRateHz));
  await writeFile('target.wav', encodeWav(await codec.decode(item.tgt_encodec), codec.sampleRateHz));
  files = ['source.wav', 'target.wav'];
  await codec.dispose();
  await device.close();
}
for await (const [file, scores] of scoreFiles(files, { metrics: ['silence'] }))
  console.log(file, scores.error ?? scores.silence);
