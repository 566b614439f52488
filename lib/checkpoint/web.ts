import type * as Undici from 'undici';
import { patienceSeconds, proxyFor, withoutPassword } from './environment.js';

/** A server cannot be asked, or does not answer as it should. */
export class Unreachable extends Error {
  /** Whether another try may help: the connection was there and broke, or nothing came. */
  readonly isInterruption: boolean;

  constructor(message: string, options: { cause?: unknown; isInterruption?: boolean } = {}) {
    super(message, { cause: options.cause });
    this.isInterruption = options.isInterruption ?? false;
  }
}

/**
 * Fetches as Python's huggingface_hub does: through the environment's proxies, and gives up where a server says nothing for
 * HF_HUB_DOWNLOAD_TIMEOUT seconds (default 10). A web page is no answer: no file that is asked for here is one, and networks that want a
 * person to sign in send theirs in place of any file.
 *
 * @param init.isDirect through no proxy, whatever the environment says
 * @throws Unreachable, or the signal's reason
 */
export async function fetchFromWeb(
  url: string,
  init: { headers?: HeadersInit; signal?: AbortSignal; isDirect?: boolean } = {},
): Promise<Response> {
  const headers: Record<string, string> = {};
  new Headers(init.headers).forEach((value, name) => (headers[name] = value));
  // Most commands fetch nothing, and need not wait until it is loaded.
  const undici = await import('undici');
  const dispatcher = createDispatcher(undici, init.isDirect);
  const answer = await undici
    .fetch(url, { headers, signal: init.signal, dispatcher })
    .catch((error: unknown) => {
      init.signal?.throwIfAborted();
      throw unreachable(error, url, init.isDirect);
    });
  const { status, statusText } = answer;
  // Of Node.js's own class, by which libraries know an answer.
  const response = new Response(answer.body as BodyInit | null, {
    status,
    statusText,
    headers: [...answer.headers],
  });
  if (response.ok && /^text\/html\b/i.test(response.headers.get('content-type') ?? '')) {
    await response.body?.cancel();
    throw new Unreachable('answers with a web page (a network may want you to sign in)');
  }
  return response;
}

/** Of an answer that is held in memory, unpacked: far beyond what a hub or a scorer says at once, and a packed megabyte can become a gigabyte. */
const LONGEST_ANSWER_BYTES = 64 * 2 ** 20;

/**
 * The text of an answer.
 *
 * @param keepPace is told of the bytes that come; what it throws ends the reading
 * @throws Unreachable for one of more than 64 MiB, of which no more is read; what reading it throws
 */
export async function textOf(response: Response, keepPace?: (bytes: number) => void): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    keepPace?.(chunk.length);
    if (bytes > LONGEST_ANSWER_BYTES)
      throw new Unreachable(`answers with more than ${LONGEST_ANSWER_BYTES / 2 ** 20} MiB`);
    chunks.push(chunk);
  }
  return new TextDecoder().decode(Buffer.concat(chunks));
}

/** Made for each request, so that a changed environment counts at once. */
function createDispatcher({ Agent, Pool, ProxyAgent }: typeof Undici, isDirect = false): Undici.Agent {
  const timeoutMs = 1000 * patienceSeconds();
  const times = { connectTimeout: timeoutMs, headersTimeout: timeoutMs, bodyTimeout: timeoutMs };
  const pool = (origin: string | URL, options: object) => new Pool(origin, { ...options, ...times });
  return new Agent({
    factory(origin, options) {
      const proxy = isDirect ? undefined : proxyFor(String(origin));
      if (!proxy) return pool(origin, options);
      const tls = { timeout: timeoutMs };
      return new ProxyAgent({
        uri: proxy.url,
        // Many proxies open no tunnel to port 80.
        proxyTunnel: false,
        proxyTls: tls,
        requestTls: tls,
        factory: pool,
        clientFactory: pool,
      });
    },
  });
}

/** Why a request failed, or reading its answer. */
export function unreachable(error: unknown, url: string, isDirect = false): Unreachable {
  const isInterruption = INTERRUPTIONS.includes(causeOf(error).code ?? '');
  return new Unreachable(`cannot be reached (${reasonOf(error)}${isDirect ? '' : throughProxy(url)})`, {
    cause: error,
    isInterruption,
  });
}

/** What went wrong under a fetch, which itself says only "fetch failed" or "terminated". */
export function reasonOf(error: unknown): string {
  const { code = '', message } = causeOf(error);
  const [, refusal] = /^Proxy (?:response|Authentication Required) \((\d+)\)/.exec(message) ?? [];
  if (refusal === '407')
    return 'the proxy answers 407: it wants a user and a password, as in http://USER:PASSWORD@host:port';
  if (refusal) return `the proxy answers ${refusal}`;
  // OpenSSL's messages end with a line feed.
  const said = (message || code).replace(/\s+/g, ' ').trim();
  return REASONS[code] ?? certificateFault(code, said) ?? said;
}

/** What is wrong with a server's certificate, where that is what an error of Node.js complains of. */
export function certificateFault(code: string, message: string): string | undefined {
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return `its certificate is of another host: name it as the certificate does (${message})`;
  if (!/certificate|self.signed/i.test(message)) return undefined;
  return `its certificate is not trusted (${message}); NODE_EXTRA_CA_CERTS names a file of others`;
}

/** The innermost one, since a proxy's refusal lies two below what a fetch throws. */
function causeOf(error: unknown): NodeJS.ErrnoException {
  const { cause } = error as { cause?: unknown };
  return cause instanceof Error ? causeOf(cause) : (error as NodeJS.ErrnoException);
}

function throughProxy(url: string): string {
  try {
    const proxy = proxyFor(url);
    return proxy ? `, through the proxy ${withoutPassword(proxy.url)} that ${proxy.variable} names` : '';
  } catch {
    return '';
  }
}

const INTERRUPTIONS = ['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT', 'UND_ERR_SOCKET', 'ECONNRESET'];

const SILENCE = 'nothing came for longer than HF_HUB_DOWNLOAD_TIMEOUT, by default 10 seconds';

const NO_TLS =
  'it does not speak TLS: write http:// in place of https://, perhaps in the address of the proxy';

const REASONS: Record<string, string> = {
  ENOTFOUND: 'no such host, or no network',
  EAI_AGAIN: 'its name cannot be looked up: no network',
  ENETUNREACH: 'no network',
  ECONNREFUSED: 'connection refused',
  UND_ERR_CONNECT_TIMEOUT: 'no answer',
  UND_ERR_HEADERS_TIMEOUT: SILENCE,
  UND_ERR_BODY_TIMEOUT: SILENCE,
  ERR_SSL_WRONG_VERSION_NUMBER: NO_TLS,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: NO_TLS,
};
