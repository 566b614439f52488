/** One question to the server of a reward, and the bounded retry of every question. */
import { reasonOf, textOf, Unreachable } from '../checkpoint/web.js';
import { onOneLine } from '../one-line.js';
import { SCORER_TRIES, ScorerRefusal } from './reward.js';
import { retry } from './retry.js';

/** How long a server is waited for. */
export interface Patience {
  /** For one answer. */
  timeoutMs: number;
  /** Before it is asked again: so long, then twice as long, ... */
  pauseMs: number;
}

const TIMEOUT_VARIABLE = 'SPEECH_DPO_REWARD_TIMEOUT';

/**
 * Two minutes for an answer, or as many seconds as SPEECH_DPO_REWARD_TIMEOUT says; a second before the second try, two before the third.
 *
 * @throws Error when the variable holds no number of seconds
 */
export function defaultPatience(): Patience {
  const text = process.env[TIMEOUT_VARIABLE] || '120';
  const seconds = Number(text);
  // Node.js gives up on a silent server after five minutes by itself.
  if (!(seconds > 0 && seconds <= 300))
    throw new Error(`${TIMEOUT_VARIABLE} is "${text}"; it is a number of seconds, at most 300`);
  return { timeoutMs: 1000 * seconds, pauseMs: 1000 };
}

/** What a server may ask for by Retry-After at most. */
const LONGEST_PAUSE_MS = 60_000;

/** Redirections that keep a question as it is; where others are followed, it arrives as a GET and without what is asked. */
const KEEPING_REDIRECTS = [307, 308];

/** The server did not answer, or says that it cannot now: another try may help. */
export class NoAnswer extends Error {
  override name = 'NoAnswer';

  constructor(
    message: string,
    options: { cause?: unknown; /** The server's own wish, Retry-After. */ pauseMs?: number } = {},
  ) {
    super(message, { cause: options.cause });
    this.pauseMs = options.pauseMs;
  }

  readonly pauseMs?: number;
}

/** The server answers that it will not: 4xx, without 408 and 429, or that another address is to be asked. */
export class ServerRefusal extends ScorerRefusal {
  constructor(
    message: string,
    readonly status: number,
    readonly body: string,
  ) {
    super(message);
  }
}

export interface Question {
  /** Sent as JSON by POST; without it the server is asked by GET. */
  question?: object;
  signal?: AbortSignal;
}

/**
 * Asks once.
 *
 * @returns the text of the answer
 * @throws NoAnswer, {@link ServerRefusal}, or the signal's reason
 */
export async function askTextOnce(
  address: string,
  { question, signal }: Question,
  { timeoutMs }: Patience,
): Promise<string> {
  const timeout = AbortSignal.timeout(timeoutMs);
  const request: RequestInit = {
    signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    ...(question && {
      method: 'POST',
      body: JSON.stringify(question),
      headers: { 'content-type': 'application/json' },
    }),
  };
  let response: Response | undefined;
  let text: string;
  try {
    response = await fetch(address, { ...request, redirect: question ? 'manual' : 'follow' });
    if (KEEPING_REDIRECTS.includes(response.status)) response = await fetch(address, request);
    text = await textOf(response);
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof Unreachable)
      throw new ServerRefusal(`${address} ${error.message}`, response!.status, '');
    const reason = timeout.aborted ? `no answer within ${timeoutMs / 1000} seconds` : reasonOf(error);
    throw new NoAnswer(`${address} cannot be reached (${reason})`, { cause: error });
  }
  if (response.ok) return text;
  const { status, statusText, headers } = response;
  const [firstLine] = text.trim().split(/[\r\n]/, 1);
  const said = firstLine === '' ? '' : `: ${onOneLine(firstLine.slice(0, 300))}`;
  const elsewhere = headers.get('location');
  const sentOn =
    elsewhere === null ? '' : `: it sends questions on to ${onOneLine(elsewhere)}: give that address`;
  const message = `${address} answers ${`${status} ${statusText}`.trim()}${status < 400 ? sentOn : said}`;
  if (status !== 408 && status !== 429 && status < 500) throw new ServerRefusal(message, status, text);
  throw new NoAnswer(message, { pauseMs: readRetryAfter(headers.get('retry-after')) });
}

/** Milliseconds to wait by a Retry-After header, a number of seconds or a date: a minute at most. Undefined for what is neither. */
export function readRetryAfter(text: string | null): number | undefined {
  if (text === null) return undefined;
  const ms = /^\d+$/.test(text.trim()) ? 1000 * Number(text) : Date.parse(text) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), LONGEST_PAUSE_MS);
}

/**
 * Asks, and again while the server may yet answer, {@link SCORER_TRIES} times in all. A pause that the server asks for by Retry-After is kept,
 * up to a minute.
 *
 * @param read makes of the answer what is wanted; what it throws is another reason to ask again, unless it is a ScorerRefusal
 * @throws ScorerRefusal with the last reason, and how often the server was asked where it was asked in vain; or the signal's reason
 */
export async function askServer<T>(
  address: string,
  asked: Question,
  patience: Patience,
  read: (text: string) => T,
): Promise<T> {
  const attempt = async () => read(await askTextOnce(address, asked, patience));
  const pauseMs = (error: unknown, tries: number) =>
    (error instanceof NoAnswer ? error.pauseMs : undefined) ?? patience.pauseMs * 2 ** (tries - 1);
  const isFinal = (error: unknown) => error instanceof ScorerRefusal;
  try {
    return await retry(attempt, { isFinal, pauseMs, signal: asked.signal });
  } catch (error) {
    asked.signal?.throwIfAborted();
    if (isFinal(error)) throw error;
    throw new ScorerRefusal(`${(error as Error).message} (asked ${SCORER_TRIES} times)`, { cause: error });
  }
}

/** @throws Error for what is not JSON */
export function readJson(address: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`${address} answers with what is not JSON: ${onOneLine(text.slice(0, 100))}`, {
      cause: error,
    });
  }
}
