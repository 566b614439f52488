/** What scores speech: NISQA's three networks, DNSMOS, Resemblyzer and Whisper. Each is tried with a sound; none is downloaded. */
import { createRequire } from 'node:module';
import { weightsCommand } from '../../command-text.js';
import { isPlainError } from '../../plain-error.js';
import { installFasterWhisper, isFasterWhisper, openFasterWhisper } from '../../scoring/faster-whisper.js';
import { placeOfNetwork, type ScoringNetwork } from '../../scoring/networks.js';
import { openOpinionScorer } from '../../scoring/opinion.js';
import {
  INSTALL_TRANSFORMERS,
  locateWhisper,
  nameOfWhisper,
  openTranscriber,
} from '../../scoring/transcribe.js';
import { loadVoiceEncoder } from '../../scoring/voice-encoder.js';
import { locateWeights } from '../../scoring/weights-path.js';
import type { Finding } from './finding.js';

const RATE_HZ = 16_000;

/** A second of a voice-like sound: a buzz of 120 Hz that swells and fades. */
const buzz = (): Float32Array =>
  Float32Array.from({ length: RATE_HZ }, (_, i) => {
    const seconds = i / RATE_HZ;
    return (((120 * seconds) % 1) - 0.5) * Math.sin(Math.PI * seconds) ** 2;
  });

export async function* examineScores(): AsyncGenerator<Finding> {
  yield await examineNetwork('nisqa', 'The reward of the experiment mos is its opinion.');
  yield await examineNetwork('dnsmos', 'It guards mos against gaming, and is its other reward.');
  yield await examineWhisper();
  yield await examineNetwork('naturalness', 'The reward naturalness is its opinion.');
  yield await examineNetwork('nisqa-mos-only', 'It is another reward of mos.');
  yield await examineNetwork(
    'similarity',
    'It guards the voice of every edit where it is here, and is the reward similarity.',
  );
}

async function examineNetwork(name: ScoringNetwork, matters: string): Promise<Finding> {
  const place = placeOfNetwork(name);
  const finding = { group: 'scores', name: place.metric } as const;
  const mend = weightsCommand(name);
  try {
    const { path, isHere } = locateWeights(place);
    if (!isHere) return { ...finding, state: 'missing', found: `no weights at ${path}`, matters, mend };
    return { ...finding, state: 'ok', found: `scores with ${path} (${await tryNetwork(name)} s)` };
  } catch (error) {
    // What a variable names is nothing that a download would mend.
    const isNamed = Boolean(process.env[place.variable]);
    const [found, repair] = [sentenceOf(error), isNamed ? `unset ${place.variable}` : mend];
    return { ...finding, state: 'broken', found, matters, mend: repair };
  }
}

async function examineWhisper(): Promise<Finding> {
  const finding = { group: 'scores', name: 'Whisper' } as const;
  const matters = 'Transcripts and word errors come from it.';
  if (isFasterWhisper(nameOfWhisper())) return examineFasterWhisper(nameOfWhisper(), matters);
  if (!isInstalled('@huggingface/transformers'))
    return {
      ...finding,
      state: 'missing',
      matters,
      mend: INSTALL_TRANSFORMERS,
      found: 'the package @huggingface/transformers is not installed',
    };
  const { model, isFolder, isCached, cache } = locateWhisper();
  const mend = weightsCommand('transcript');
  if (!isFolder && !isCached)
    return { ...finding, state: 'missing', found: `${model} is not in ${cache}`, matters, mend };
  try {
    return { ...finding, state: 'ok', found: `hears with ${model} (${await tryWhisper()} s)` };
  } catch (error) {
    return { ...finding, state: 'broken', found: sentenceOf(error), matters, mend };
  }
}

/** What WHISPER_MODEL asks of Python; its sentence holds the command. */
async function examineFasterWhisper(model: string, matters: string): Promise<Finding> {
  const finding = { group: 'scores', name: 'Whisper' } as const;
  const startMs = performance.now();
  try {
    const { hear, dispose } = await openFasterWhisper(model, { threads: 1, download: false });
    await hear(buzz()).finally(dispose);
    return { ...finding, state: 'ok', found: `hears with ${model} (${secondsSince(startMs)} s)` };
  } catch (error) {
    return { ...finding, state: 'broken', found: sentenceOf(error), matters, mend: installFasterWhisper() };
  }
}

/** Scores a second of sound. @returns the seconds that took */
async function tryNetwork(network: ScoringNetwork): Promise<string> {
  const startMs = performance.now();
  const sound = { samples: buzz(), sampleRateHz: RATE_HZ };
  if (network === 'similarity') {
    const encoder = await loadVoiceEncoder();
    await encoder.embed(sound).finally(() => encoder.dispose());
    return secondsSince(startMs);
  }
  const scorer = await openOpinionScorer(network);
  try {
    const score = await scorer.score(sound);
    if (!Number.isFinite(score)) throw new TypeError(`its score of a sound is ${score}`);
  } finally {
    await scorer.dispose();
  }
  return secondsSince(startMs);
}

async function tryWhisper(): Promise<string> {
  const startMs = performance.now();
  const { transcribe, dispose } = await openTranscriber();
  await transcribe(buzz(), RATE_HZ).finally(dispose);
  return secondsSince(startMs);
}

const secondsSince = (startMs: number): string => ((performance.now() - startMs) / 1000).toFixed(1);

const sentenceOf = (error: unknown): string =>
  isPlainError(error) ? error.message : `it fails: ${(error as Error).message}`;

function isInstalled(name: string): boolean {
  try {
    createRequire(import.meta.url).resolve(name);
    return true;
  } catch {
    return false;
  }
}
