import { join } from 'node:path';
import { NOT_FINITE } from '../audio/finite.js';
import { allFinite } from '../finite.js';
import { findPackageRoot } from '../package-root.js';
import { findPython, installCommand, runPython } from './python.js';
import { UnscorableSample } from './unscorable.js';

/** "wb": wide band, ITU-T P.862.2, at 16 kHz only; "nb": narrow band, ITU-T P.862.1. */
export type PesqMode = 'wb' | 'nb';

/** Quality compared with the reference, as MOS-LQO: about 1 (bad) to 4.6; of the modes asked for. */
export type PesqScores = Partial<Record<PesqMode, number>>;

/** Which Python computes PESQ. */
export interface PesqOptions {
  /** Default: both at 16 kHz, narrow band at 8 kHz. */
  modes?: readonly PesqMode[];
  /** Python with the package pesq; default: the one in SPEECH_DPO_PYTHON, else that of .venv, else the system's. */
  python?: string;
}

/** What pip installs for it. */
export const PESQ_PACKAGES = 'pesq==0.0.4 numpy';
const PROGRAM = join(findPackageRoot(), 'lib', 'scoring', 'score_pesq.py');
const MIN_SECONDS = 0.25;

/**
 * PESQ of recordings with respect to one reference, all mono and of one sample rate; lengths may differ. Computed by the Python package
 * pesq, which a person installs: the terms of the ITU's reference code in it forbid porting and distributing it.
 *
 * Source: ITU-T P.862 (2001), P.862.1 and P.862.2.
 *
 * @returns an UnscorableSample in the place of each recording that cannot be scored
 * @throws Error when the sample rate is neither 8 nor 16 kHz, wide band is asked for at 8 kHz, the reference is shorter than 0.25 s,
 * Python or the package is missing (with the command that installs it), or it fails for another reason than a recording
 */
export async function measurePesq(
  reference: Float32Array,
  recordings: readonly Float32Array[],
  sampleRateHz: number,
  options: PesqOptions = {},
): Promise<(PesqScores | UnscorableSample)[]> {
  if (sampleRateHz !== 8000 && sampleRateHz !== 16000)
    throw new Error(`PESQ takes a sample rate of 8000 or 16000 Hz, not ${sampleRateHz}`);
  const modes = options.modes ?? (sampleRateHz === 8000 ? ['nb'] : ['wb', 'nb']);
  if (sampleRateHz === 8000 && modes.includes('wb'))
    throw new Error('PESQ has no wide band mode at 8000 Hz; take narrow band, or recordings of 16000 Hz');
  const reason = whyNot(reference, sampleRateHz);
  if (reason) throw new Error(`the reference cannot be used: ${reason.message}`);

  const results = recordings.map((recording) => whyNot(recording, sampleRateHz));
  const scored = recordings.filter((_, i) => !results[i]);
  const answers =
    scored.length === 0 ? [] : await askPython([reference, ...scored], sampleRateHz, modes, options);
  return results.map((error) => error ?? toScores(answers.shift()!));
}

function whyNot(samples: Float32Array, sampleRateHz: number): UnscorableSample | undefined {
  const seconds = samples.length / sampleRateHz;
  if (seconds < MIN_SECONDS)
    return new UnscorableSample(
      `it is too short for PESQ: ${seconds.toFixed(4)} s; at least ${MIN_SECONDS} s are needed`,
    );
  if (!allFinite(samples)) return new UnscorableSample(NOT_FINITE);
  if (samples.every((value) => value === 0))
    return new UnscorableSample('it is silent, and PESQ compares speech');
  return undefined;
}

type Answer = PesqScores | { error: string };

async function askPython(
  signals: readonly Float32Array[],
  sampleRateHz: number,
  modes: readonly PesqMode[],
  options: PesqOptions,
): Promise<Answer[]> {
  const request = { sampleRateHz, modes, lengths: signals.map(({ length }) => length) };
  const samples = Buffer.concat(signals.map((s) => Buffer.from(s.buffer, s.byteOffset, s.byteLength)));
  const python = findPython(options.python);
  try {
    return JSON.parse(await runPython(python, ['-B', PROGRAM, JSON.stringify(request)], samples)) as Answer[];
  } catch (error) {
    const { message } = error as Error;
    const missing = /ModuleNotFoundError: .*|^cannot run .*/m.exec(message)?.[0];
    const install = `It needs the Python package pesq: ${installCommand(PESQ_PACKAGES, options.python)}`;
    throw new Error(`PESQ fails: ${missing ? `${missing}. ${install}` : message}`, { cause: error });
  }
}

function toScores(answer: Answer): PesqScores | UnscorableSample {
  if (!('error' in answer)) return answer;
  if (answer.error.startsWith('NoUtterancesError'))
    return new UnscorableSample('PESQ finds no speech in the reference');
  if (answer.error.startsWith('BufferTooShortError')) return new UnscorableSample('it is too short for PESQ');
  throw new Error(`PESQ fails: ${answer.error}`);
}
