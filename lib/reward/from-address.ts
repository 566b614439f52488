/** A reward that a server gives: docs/adding-a-reward.md says what is asked and answered. */
import { setTimeout as sleep } from 'node:timers/promises';
import { encodeWav } from '../audio/wav.js';
import { checkAddress } from '../checkpoint/environment.js';
import { reasonOf } from '../checkpoint/web.js';
import { orUnscorable, UnscorableSample } from '../scoring/unscorable.js';
import { checkReward } from './check.js';
import { SCORER_TRIES, ScorerRefusal, type Reward, type Sample, type Score } from './reward.js';

/** How long a server may take to answer. */
const ANSWER_SECONDS = 120;
/** Before it is asked again: a second, then two, ... */
const PAUSE_MS = 1000;

/**
 * The reward of the server at an address: it says on GET what the reward is called and whether it listens, and scores samples on POST.
 *
 * @throws Error in one sentence when there is no such server, or it does not say so
 */
export async function rewardAt(address: string): Promise<Reward> {
  checkAddress(address, 'the address of the reward');
  const form = 'on GET the server of a reward answers {"name": ..., "label": ..., "listens": ...}';
  const said = await ask(address, {}).catch((error: Error) => {
    throw new Error(`${error.message}; ${form}`, { cause: error });
  });
  if (typeof said !== 'object' || said === null || !('name' in said))
    throw new Error(`${address} does not say what its reward is called; ${form}`);
  const { label = said.name, listens = false } = said as Record<string, unknown>;
  const described = { name: said.name, label, listens };
  const score = (samples: readonly Sample[], signal?: AbortSignal) =>
    scoreAt(address, samples, listens === true, signal);
  return checkReward({ ...described, score }, `what ${address} describes`);
}

async function scoreAt(
  address: string,
  samples: readonly Sample[],
  listens: boolean,
  signal?: AbortSignal,
): Promise<Score[]> {
  const described = await Promise.all(samples.map((sample) => orUnscorable(() => describe(sample, listens))));
  const sent = described.filter((each) => !(each instanceof UnscorableSample));
  const answer = sent.length === 0 ? [] : await askAgain(address, { samples: sent }, sent.length, signal);
  return described.map((each): Score => {
    if (each instanceof UnscorableSample) return { dropped: each.message };
    const score = answer.shift()!;
    return typeof score === 'number' ? { reward: score } : score;
  });
}

/** What a server is told of a sample. */
async function describe(sample: Sample, listens: boolean): Promise<object> {
  const { item, codes } = sample;
  const told = { instruction: item.instruction, text: item.text, source: item.src_encodec[0], codes };
  if (!listens) return told;
  const { samples, sampleRateHz } = await sample.audio();
  return { ...told, audio: Buffer.from(encodeWav(samples, sampleRateHz)).toString('base64') };
}

/** @throws ScorerRefusal when the server has failed {@link SCORER_TRIES} times, or says that the question is wrong */
async function askAgain(
  address: string,
  question: object,
  count: number,
  signal?: AbortSignal,
): Promise<(number | Score)[]> {
  for (let attempt = 1; ; attempt++) {
    try {
      const { scores } = ((await ask(address, { method: 'POST', question, signal })) ?? {}) as {
        scores?: unknown;
      };
      if (Array.isArray(scores) && scores.length === count) return scores as (number | Score)[];
      const found = Array.isArray(scores) ? `${scores.length} scores` : 'no list "scores"';
      throw new Error(`${address} answers with ${found} to ${count} samples`);
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof ScorerRefusal) throw error;
      const { message } = error as Error;
      if (attempt === SCORER_TRIES)
        throw new ScorerRefusal(`${message} (asked ${attempt} times)`, { cause: error });
      await sleep(attempt * PAUSE_MS, undefined, { signal });
    }
  }
}

/** @throws ScorerRefusal for an answer 4xx, Error for whatever may be better the next time */
async function ask(
  address: string,
  { method = 'GET', question, signal }: { method?: string; question?: object; signal?: AbortSignal },
): Promise<unknown> {
  const timeout = AbortSignal.timeout(ANSWER_SECONDS * 1000);
  const request: RequestInit = {
    method,
    signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    ...(question && { body: JSON.stringify(question), headers: { 'content-type': 'application/json' } }),
  };
  let status: string;
  let text: string;
  try {
    const response = await fetch(address, request);
    status = response.ok ? '' : `${response.status} ${response.statusText}`.trim();
    text = await response.text();
  } catch (error) {
    const reason = timeout.aborted ? `no answer within ${ANSWER_SECONDS} seconds` : reasonOf(error);
    throw new Error(`${address} cannot be reached (${reason})`, { cause: error });
  }
  if (status !== '') {
    const [firstLine] = text.trim().split('\n', 1);
    const message = `${address} answers ${status}${firstLine === '' ? '' : `: ${firstLine.slice(0, 300)}`}`;
    throw status.startsWith('4') ? new ScorerRefusal(message) : new Error(message);
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`${address} answers with what is not JSON: ${text.slice(0, 100)}`, { cause: error });
  }
}
