import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { resample } from '../audio/resample.js';
import { hashFile } from '../checkpoint/atomic.js';
import { isOffline } from '../checkpoint/download.js';
import { hubEndpoint, pathFromEnvironment } from '../checkpoint/environment.js';
import { openGivenFile } from '../checkpoint/given-file.js';
import { fetchFromWeb, Unreachable } from '../checkpoint/web.js';
import { defaultThreads } from '../engine/index.js';
import { isFasterWhisper, openFasterWhisper } from './faster-whisper.js';
import { isSilent } from './silence.js';
import { checkRate, UnscorableSample } from './unscorable.js';
import { cacheFolder } from './weights-path.js';
import type { OnNotice } from '../notice.js';

/** English, 39 M parameters, 150 MB, MIT licence. */
export const DEFAULT_WHISPER = 'onnx-community/whisper-tiny.en';

/** This version, because another brings another onnxruntime-node, and a process can load one of them only. */
export const INSTALL_TRANSFORMERS = 'npm install @huggingface/transformers@4.3.1';

const SAMPLE_RATE_HZ = 16000;
/** What Whisper hears at once. Longer recordings go through it in overlapping windows of this length. */
const WINDOW_SECONDS = 30;

/** What transformers.js reads of a Whisper model in float32. */
const FILES = [
  'config.json',
  'generation_config.json',
  'preprocessor_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'onnx/encoder_model.onnx',
  'onnx/decoder_model_merged.onnx',
];

/** Which recognizer, and how it runs. */
export interface TranscriberOptions {
  /**
   * A local folder, or a name on the Hugging Face hub, with ONNX weights; `faster-whisper` or `faster-whisper:MODEL`, see `openFasterWhisper`;
   * default: the environment variable WHISPER_MODEL, else `onnx-community/whisper-tiny.en`.
   */
  model?: string;
  /** Threads for one operator; default: SPEECH_DPO_THREADS, else the machine's cores. */
  threads?: number;
  /** Ends faster-whisper's process, also while it is transcribing. */
  signal?: AbortSignal;
  /** Is told of a download. */
  onNotice?: OnNotice;
}

/** A Whisper model, ready to transcribe. */
export interface Transcriber {
  /**
   * What is said in a mono recording, decoded greedily; the empty text for silence, for which Whisper makes words up.
   *
   * @throws UnscorableSample when the recording holds no samples, or values that are not numbers
   */
  transcribe: (samples: Float32Array, sampleRateHz: number) => Promise<string>;
  /** Frees the model. */
  dispose: () => Promise<void>;
}

/**
 * Opens a Whisper model (Radford et al. 2022): with ONNX weights through @huggingface/transformers, an optional package, or by Python's
 * faster-whisper. A model with ONNX weights that is named as on the hub is downloaded once, from HF_ENDPOINT where that is set, into
 * `transformers.js` in HF_HOME or else in speech-dpo's folder of the user's cache; with HF_HUB_OFFLINE it has to be there.
 *
 * @throws Error when the package is not installed, or the model is not there, cannot be downloaded or is no Whisper
 */
export async function openTranscriber(options: TranscriberOptions = {}): Promise<Transcriber> {
  const model = nameOfWhisper(options.model);
  const threads = options.threads ?? defaultThreads();
  const { hear, dispose } = isFasterWhisper(model)
    ? await openFasterWhisper(model, { ...options, threads })
    : await openOnnxWhisper(model, threads, options.onNotice);
  return { transcribe: (samples, sampleRateHz) => transcribe(hear, samples, sampleRateHz), dispose };
}

/** One recognizer for several who ask. */
export interface SharedTranscriber {
  /** Opens it where nobody has; each recording is heard once, however many ask for its words. */
  open(): Promise<Transcriber['transcribe']>;
  /** Frees it, where it is open. */
  dispose(): Promise<void>;
}

/** Shares what `openTranscriber` opens with the same options. */
export function shareTranscriber(options: TranscriberOptions): SharedTranscriber {
  let opened: Promise<Transcriber> | undefined;
  const heard = new WeakMap<Float32Array, Promise<string>>();
  return {
    async open() {
      const { transcribe } = await (opened ??= openTranscriber(options));
      return (samples, sampleRateHz) => {
        const text = heard.get(samples) ?? transcribe(samples, sampleRateHz);
        heard.set(samples, text);
        return text;
      };
    },
    dispose: async () =>
      opened?.then(
        ({ dispose }) => dispose(),
        () => undefined,
      ),
  };
}

/**
 * By what a recognizer is known: SHA-256 over its model's files, and of faster-whisper over the versions of its packages.
 *
 * @throws Error when it is not on this machine
 */
export async function hashTranscriber(model: string): Promise<string> {
  if (isFasterWhisper(model)) {
    const { hash, dispose } = await openFasterWhisper(model, { threads: 1, download: false });
    return hash().finally(dispose);
  }
  const { isFolder, cache } = locateWhisper(model);
  const hash = createHash('sha256');
  for (const file of FILES) hash.update(await hashFile(join(isFolder ? model : join(cache, model), file)));
  return hash.digest('hex');
}

type Hear = (samples: Float32Array) => Promise<string>;

async function openOnnxWhisper(
  asked: string,
  threads: number,
  onNotice?: OnNotice,
): Promise<{ hear: Hear; dispose: () => Promise<void> }> {
  const { isFolder, isCached, cache } = locateWhisper(asked);
  const { env, pipeline } = await loadTransformers();
  if (isFolder) await checkFolder(asked);
  env.cacheDir = cache;
  env.fetch = (url, init?: RequestInit) => fetchFromWeb(String(url), { headers: init?.headers });
  const isHere = isFolder || isOffline() || isCached;
  if (!isHere) {
    env.remoteHost = hubEndpoint();
    onNotice?.(`Downloading the Whisper model ${asked} to ${env.cacheDir}`);
  }
  const recognizer = await pipeline('automatic-speech-recognition', isFolder ? resolve(asked) : asked, {
    dtype: 'fp32',
    device: 'cpu',
    local_files_only: isHere,
    session_options: { intraOpNumThreads: threads, interOpNumThreads: 1 },
  }).catch((error: Error) => {
    throw new Error(explainFailure(asked, isFolder, env.remoteHost, env.cacheDir!, error), { cause: error });
  });
  const type: unknown = recognizer.model.config.model_type;
  if (type !== 'whisper') {
    await recognizer.dispose();
    throw new Error(`${asked}: config.json describes a model of type "${String(type)}"; expected "whisper"`);
  }
  return {
    hear: async (samples) => (await recognizer(samples, { chunk_length_s: WINDOW_SECONDS })).text.trim(),
    dispose: () => recognizer.dispose(),
  };
}

/** What is opened where `asked` says nothing: what WHISPER_MODEL names, else {@link DEFAULT_WHISPER}. */
export const nameOfWhisper = (asked?: string): string =>
  asked || pathFromEnvironment('WHISPER_MODEL') || DEFAULT_WHISPER;

/** Which Whisper model with ONNX weights would be opened, and whether it is on this machine: a folder, or whole in the cache. */
export function locateWhisper(asked?: string): {
  model: string;
  isFolder: boolean;
  isCached: boolean;
  cache: string;
} {
  const model = nameOfWhisper(asked);
  const cache = join(pathFromEnvironment('HF_HOME') ?? cacheFolder(), 'transformers.js');
  const isCached = FILES.every((file) => existsSync(join(cache, model, file)));
  return { model, isFolder: existsSync(model), isCached, cache };
}

async function transcribe(hear: Hear, samples: Float32Array, sampleRateHz: number): Promise<string> {
  if (samples.length === 0) throw new UnscorableSample('it holds no samples');
  if (isSilent(samples, sampleRateHz)) return '';
  checkRate(sampleRateHz, SAMPLE_RATE_HZ);
  return hear(resample(samples, sampleRateHz, SAMPLE_RATE_HZ));
}

async function loadTransformers(): Promise<typeof import('@huggingface/transformers')> {
  return import('@huggingface/transformers').catch((error: unknown) => {
    throw new Error(
      `Transcripts need the package @huggingface/transformers. Install it with: ${INSTALL_TRANSFORMERS}`,
      {
        cause: error,
      },
    );
  });
}

async function checkFolder(folder: string): Promise<void> {
  const missing = FILES.filter((file) => !existsSync(join(folder, file)));
  if (missing.length > 0) {
    throw new Error(
      `${folder} is no Whisper model with ONNX weights: ${missing.join(', ')} ${missing.length === 1 ? 'is' : 'are'} missing`,
    );
  }
  for (const file of FILES) {
    const { handle } = await openGivenFile(join(folder, file));
    await handle.close();
  }
}

/** What a person can do about a model that could not be opened. */
function explainFailure(
  model: string,
  isFolder: boolean,
  host: string,
  cache: string,
  error: Error & { status?: number | null },
): string {
  if (isFolder) return `${model}: the Whisper model cannot be read: ${error.message}`;
  const others = `Name a model with ONNX weights, such as ${DEFAULT_WHISPER}, or a local folder`;
  if (isOffline())
    return `The Whisper model ${model} is not in ${cache}, and HF_HUB_OFFLINE forbids downloads. ${others}`;
  if (error.status)
    return `The Whisper model ${model} cannot be downloaded from ${host}: the server answers ${error.status}. ${others}`;
  if (error instanceof Unreachable)
    return `The Whisper model ${model} cannot be downloaded: ${host} ${error.message}. ${others}`;
  return `The Whisper model ${model} cannot be opened: ${error.message}. ${others}`;
}
