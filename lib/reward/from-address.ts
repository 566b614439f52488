/** A reward that a server gives: docs/adding-a-reward.md says what is asked and answered. */
import { encodeWav } from '../audio/wav.js';
import { checkAddress } from '../checkpoint/environment.js';
import { orUnscorable, UnscorableSample } from '../scoring/unscorable.js';
import { askTextOnce, askServer, defaultPatience, NoAnswer, readJson, type Patience } from './ask-server.js';
import { audioScorer, checkScorer } from './audio-scorer.js';
import { PROTOCOL_VERSION } from './audio-scorer-wire.js';
import { checkReward } from './check.js';
import type { Reward, Sample, Score } from './reward.js';

/**
 * The reward of the server at an address. It says on GET what the reward is called and whether it listens, and scores lists of samples on
 * POST; or it is an audio scorer of verl-omni's protocol: what says so on GET, or says nothing of itself there and scores a test sound.
 *
 * @param name in place of what the server calls the reward; of an audio scorer that does not say, the default is its host and port
 * @throws Error in one sentence when there is no such server, or it is none of these
 */
export async function rewardAt(
  address: string,
  name?: string,
  patience: Patience = defaultPatience(),
): Promise<Reward> {
  checkAddress(address, 'the address of the reward');
  const what = `what ${address} describes`;
  const said = await describe(address, patience);
  if (said.lacks !== undefined) {
    await checkScorer(address, patience).catch((error: Error) => {
      throw new Error(
        `${said.lacks}; ${FORM}; and as an audio scorer it cannot be used either: ${error.message}`,
        { cause: error },
      );
    });
    const host = new URL(address).host.replace(/[^\w.]+/g, '-').replace(/^-/, '');
    const named = { name: name ?? host, label: `score of ${host}` };
    return checkReward(audioScorer(address, named, patience), what);
  }
  const { label = said.name, listens = false, protocol_version: version } = said;
  const named = { name: name ?? said.name, label } as Pick<Reward, 'name' | 'label'>;
  if (version === PROTOCOL_VERSION) return checkReward(audioScorer(address, named, patience), what);
  if (version !== undefined)
    throw new Error(
      `${address} speaks version ${JSON.stringify(version)} of the audio-scorer protocol; speech-dpo speaks version "${PROTOCOL_VERSION}"`,
    );
  const score = (samples: readonly Sample[], signal?: AbortSignal) =>
    scoreAt(address, samples, listens === true, patience, signal);
  const check = async () => {
    const now = await describe(address, patience);
    if (now.lacks !== undefined) throw new Error(now.lacks);
    if (now.name !== said.name)
      throw new Error(
        `${address} is no longer the reward ${String(said.name)}: it calls itself ${String(now.name)}`,
      );
  };
  return checkReward({ ...named, listens, score, check }, what);
}

const FORM = 'on GET the server of a reward answers {"name": ..., "label": ..., "listens": ...}';

interface Description {
  name: unknown;
  label?: unknown;
  listens?: unknown;
  protocol_version?: unknown;
  lacks?: undefined;
}

/**
 * What a server says of itself, or why what it says is no description.
 *
 * @throws Error in one sentence when it cannot be reached
 */
async function describe(address: string, patience: Patience): Promise<Description | { lacks: string }> {
  let said: unknown;
  try {
    said = readJson(address, await askTextOnce(address, {}, patience));
  } catch (error) {
    const { message } = error as Error;
    if (error instanceof NoAnswer && error.cause !== undefined)
      throw new Error(`${message}; ${FORM}`, { cause: error });
    return { lacks: message };
  }
  if (typeof said === 'object' && said !== null && 'name' in said) return { ...said, lacks: undefined };
  return { lacks: `${address} does not say what its reward is called` };
}

async function scoreAt(
  address: string,
  samples: readonly Sample[],
  listens: boolean,
  patience: Patience,
  signal?: AbortSignal,
): Promise<Score[]> {
  const told = await Promise.all(samples.map((sample) => orUnscorable(() => tell(sample, listens))));
  const sent = told.filter((each) => !(each instanceof UnscorableSample));
  const asked = { question: { samples: sent }, signal };
  const read = (text: string) => readScores(address, text, sent.length);
  const answer = sent.length === 0 ? [] : await askServer(address, asked, patience, read);
  return told.map((each): Score => {
    if (each instanceof UnscorableSample) return { dropped: each.message };
    const score = answer.shift()!;
    return typeof score === 'number' ? { reward: score } : score;
  });
}

/** What a server is told of a sample. */
async function tell(sample: Sample, listens: boolean): Promise<object> {
  const { item, codes } = sample;
  const told = { instruction: item.instruction, text: item.text, source: item.src_encodec[0], codes };
  if (!listens) return told;
  const { samples, sampleRateHz } = await sample.audio();
  return { ...told, audio: Buffer.from(encodeWav(samples, sampleRateHz)).toString('base64') };
}

/** @throws Error for other than so many scores */
function readScores(address: string, text: string, count: number): (number | Score)[] {
  const { scores } = (readJson(address, text) ?? {}) as { scores?: unknown };
  if (Array.isArray(scores) && scores.length === count) return scores as (number | Score)[];
  const found = Array.isArray(scores) ? `${scores.length} scores` : 'no list "scores"';
  throw new Error(`${address} answers with ${found} to ${count} samples`);
}
