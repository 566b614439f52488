/** A reward that a server gives by verl-omni's audio-scorer protocol, version 1. */
import { createHash } from 'node:crypto';
import { allFinite } from '../finite.js';
import { UnscorableSample } from '../scoring/unscorable.js';
import { onOneLine } from '../one-line.js';
import { askServer, readJson, ServerRefusal, type Patience } from './ask-server.js';
import { limitConcurrency } from './limit-concurrency.js';
import { decodeAnswer, encodeQuestion, type ScorerAnswer, type ScorerQuestion } from './audio-scorer-wire.js';
import { rewardOf, ScorerRefusal, type Reward, type Sample } from './reward.js';
import { TEST_TEXT, testSound } from './test-sound.js';

/** Concurrent questions to one server. */
const QUESTIONS_AT_ONCE = 8;

/** The reward of an audio scorer; `check` asks it for the score of a test sound. */
export function audioScorer(
  address: string,
  { name, label }: Pick<Reward, 'name' | 'label'>,
  patience: Patience,
): Reward {
  const inTurn = limitConcurrency(QUESTIONS_AT_ONCE);
  const reward = rewardOf(name, label, async (sample, signal) => {
    const question = await questionOf(sample);
    const { score, details } = await inTurn(() => askScorer(address, question, patience, signal));
    return { reward: score, details };
  });
  return { ...reward, check: () => checkScorer(address, patience) };
}

/** @throws ScorerRefusal unless the server scores a test sound, or says by 422 that it cannot be scored */
export async function checkScorer(address: string, patience: Patience): Promise<void> {
  const question = { recording: testSound(), prompt: TEST_TEXT, metadata: { id: 'check' } };
  await askScorer(address, question, patience).catch((error: unknown) => {
    if (!(error instanceof UnscorableSample)) throw error;
  });
}

/** The same id for all samples of a prompt, in every run. */
async function questionOf({ item, audio }: Sample): Promise<ScorerQuestion> {
  const recording = await audio();
  if (!allFinite(recording.samples))
    throw new ScorerRefusal('the sound of the sample has values that are NaN or infinite');
  const { instruction, src_encodec, text = '' } = item;
  const prompt = JSON.stringify([instruction, text, src_encodec[0]]);
  const id = createHash('sha256').update(prompt).digest('hex').slice(0, 16);
  return { recording, prompt: text, metadata: { id, instruction } };
}

/** @throws UnscorableSample where the server says 422 with {"dropped": "why"}, as `serve-reward` does; ScorerRefusal for every other end */
async function askScorer(
  address: string,
  question: ScorerQuestion,
  patience: Patience,
  signal?: AbortSignal,
): Promise<ScorerAnswer> {
  const asked = { question: encodeQuestion(question), signal };
  try {
    return await askServer(address, asked, patience, (text) => readAnswer(address, text));
  } catch (error) {
    const dropped = error instanceof ServerRefusal && error.status === 422 && whyDropped(error.body);
    throw dropped ? new UnscorableSample(dropped) : error;
  }
}

/** @throws ScorerRefusal: a scorer that answers wrongly does so again */
function readAnswer(address: string, text: string): ScorerAnswer {
  try {
    return decodeAnswer(readJson(address, text));
  } catch (error) {
    const { message } = error as Error;
    const sentence = message.startsWith(address)
      ? message
      : `${address} answers ${onOneLine(text.slice(0, 200))}: ${message}`;
    throw new ScorerRefusal(sentence, { cause: error });
  }
}

function whyDropped(body: string): string | undefined {
  try {
    const { dropped } = (JSON.parse(body) ?? {}) as { dropped?: unknown };
    return typeof dropped === 'string' ? dropped : undefined;
  } catch {
    return undefined;
  }
}
