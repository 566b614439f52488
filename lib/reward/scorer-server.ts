/** An audio scorer of verl-omni's protocol, version 1, that answers with a reward of this program. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { DatasetItem } from '../data/item.js';
import type { OnNotice } from '../notice.js';
import { askReward } from './ask.js';
import { decodeQuestion, PROTOCOL_VERSION, type ScorerQuestion } from './audio-scorer-wire.js';
import { FailedSample, ScorerRefusal, type Reward, type Sample, type Score } from './reward.js';
import { TEST_TEXT, testSound } from './test-sound.js';

/** Of a request: two minutes of float32 in base64 at 48 kHz. */
const LONGEST_REQUEST_BYTES = 32 * 2 ** 20;

/** What a reward asks of a sample that an audio scorer is not told. */
class NotTold extends ScorerRefusal {}

/** A scorer that listens for requests. */
export interface ScorerServer {
  /** http://HOST:PORT */
  address: string;
  /** Takes no more requests, and waits for the answers to those that it has. */
  close(): Promise<void>;
}

/**
 * Serves a reward that needs nothing but a sample's sound and the words in it.
 *
 * POST, at any path, answers a question with `{score, ...details}`; 422 and `{error, dropped}` where the sound cannot be scored; another 4xx with
 * `{error}` for what is no question of this protocol, or comes from a web page; 500 where the reward fails. GET says what is served.
 *
 * @param options.port 0 is any that is free
 * @param options.onNotice is told of faults
 * @throws Error in one sentence for a reward that needs more, or a port that is taken
 */
export async function serveScorer(
  reward: Reward,
  { host, port, onNotice }: { host: string; port: number; onNotice?: OnNotice },
): Promise<ScorerServer> {
  await refuseOthers(reward);
  const server = createServer((request, response) => {
    // A trainer that keeps its connection would ask for ever.
    if (!server.listening) response.setHeader('connection', 'close');
    void answer(reward, request, response).catch((error: unknown) => {
      const message = error instanceof Error ? error.message : String(error);
      onNotice?.(`a request failed: ${message}`);
      send(response, 500, { error: `the ${reward.name} reward fails: ${message}` });
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const reason = error.code === 'EADDRINUSE' ? 'another program listens there' : error.message;
      reject(new Error(`cannot listen at ${host}, port ${port}: ${reason}`, { cause: error }));
    });
    server.listen(port, host, resolve);
  });
  const { address, family, port: taken } = server.address() as AddressInfo;
  return {
    address: `http://${family === 'IPv6' ? `[${address}]` : address}:${taken}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeIdleConnections();
      }),
  };
}

/** @throws Error in one sentence for a reward that cannot score a sound alone */
async function refuseOthers(reward: Reward): Promise<void> {
  const cannot = `the reward ${reward.name} cannot be served: `;
  if (reward.listens === false)
    throw new Error(`${cannot}it does not listen, and an audio scorer is sent sound`);
  try {
    await scoreSound(reward, { recording: testSound(), prompt: TEST_TEXT, metadata: {} });
  } catch (error) {
    if (error instanceof NotTold) throw new Error(`${cannot}${error.message}`, { cause: error });
    throw error;
  }
}

async function answer(reward: Reward, request: IncomingMessage, response: ServerResponse): Promise<void> {
  // Browsers say so, and let any page that a person opens ask this machine; trainers do not.
  if (request.headers.origin !== undefined)
    return send(response, 403, { error: 'web pages are not answered, only programs' });
  if (request.method === 'GET' || request.method === 'HEAD') {
    const { name, label } = reward;
    // A built-in reward's own name is taken where this one is used by its address.
    const described = { status: 'ok', name: `served-${name}`, label, protocol_version: PROTOCOL_VERSION };
    return send(response, 200, described);
  }
  if (request.method !== 'POST') {
    response.setHeader('allow', 'GET, POST');
    return send(response, 405, { error: `${request.method} is not answered, only GET and POST` });
  }
  const body = await readBody(request);
  if (!body) {
    response.setHeader('connection', 'close');
    const error = `a request has at most ${LONGEST_REQUEST_BYTES} bytes`;
    send(response, 413, { error });
    return;
  }
  let question: ScorerQuestion;
  try {
    question = decodeQuestion(parseBody(body));
  } catch (error) {
    return send(response, 400, { error: (error as Error).message });
  }
  const score = await scoreSound(reward, question).catch((error: unknown) => {
    if (error instanceof NotTold) return error;
    throw error;
  });
  if (score instanceof NotTold) return send(response, 400, { error: score.message });
  if ('dropped' in score) {
    const { dropped } = score;
    return send(response, 422, { error: `this sound cannot be scored: ${dropped}`, dropped });
  }
  const { reward: value, details } = score;
  const figures = { ...details, score: value };
  const wrong = Object.entries(figures).find(([, figure]) => !Number.isFinite(figure));
  if (wrong) throw new Error(`it gives the ${wrong[0]} ${wrong[1]}`);
  send(response, 200, { score: value, ...details });
}

/** Undefined for a request that is too long; no more of it is read. */
async function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  if (Number(request.headers['content-length'] ?? 0) > LONGEST_REQUEST_BYTES) return undefined;
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > LONGEST_REQUEST_BYTES) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** @throws Error in one sentence for what is no JSON */
function parseBody(body: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch (error) {
    throw new Error(`a request is JSON: ${(error as Error).message}`, { cause: error });
  }
}

function send(response: ServerResponse, status: number, body: object): void {
  if (response.headersSent || response.destroyed) return;
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

/** @throws what the reward throws, or {@link NotTold} */
async function scoreSound(reward: Reward, { recording, prompt }: ScorerQuestion): Promise<Score> {
  const item = told(prompt === '' ? {} : { text: prompt }, [
    'instruction',
    'src_encodec',
    'tgt_encodec',
  ]) as DatasetItem;
  const sample = told({ item, audio: () => Promise.resolve(recording) }, ['codes']) as Sample;
  const [score] = await askReward(reward, [sample]).catch((error: unknown) => {
    throw error instanceof FailedSample ? error.cause : error;
  });
  return score;
}

const MISSING: Record<string, string> = {
  instruction: "the edit's instruction",
  src_encodec: 'the source recording',
  tgt_encodec: 'the target recording',
  codes: "the sample's codes",
};

/** An object whose other properties throw when they are read. */
function told(known: object, others: readonly string[]): object {
  for (const name of others)
    Object.defineProperty(known, name, {
      get: () => {
        throw new NotTold(
          `it needs ${MISSING[name]}, and an audio scorer is sent the sound and its text alone`,
        );
      },
    });
  return known;
}
