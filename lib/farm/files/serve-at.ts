/** Where a run's file server listens: what `--serve-at HOST:PORT` says. */
import { isIP } from 'node:net';

export interface ServeAt {
  /** An address of this machine, or a name that it has in its network: workers are told it. */
  host: string;
  /** 0: any that is free. */
  port: number;
}

const EXAMPLE = 'for example --serve-at 10.0.0.5:8700';

/** @throws Error in one sentence unless the text is an address of one machine and a port */
export function parseServeAt(text: string): ServeAt {
  const match = /^(?:\[([\da-f:.]+)\]|([a-z\d](?:[a-z\d.-]*[a-z\d])?)):(\d{1,5})$/i.exec(text.trim());
  const [, ipv6, name = ipv6, digits] = match ?? [];
  const port = Number(digits);
  if (!match || port > 65_535 || (ipv6 !== undefined && isIP(ipv6) !== 6)) {
    throw new Error(
      `--serve-at is "${text}", which is no HOST:PORT: write an address of this machine and a port, ${EXAMPLE}.`,
    );
  }
  if (name === '0.0.0.0' || (isIP(name) === 6 && /^[0:]+$/.test(name))) {
    throw new Error(
      `--serve-at is "${text}", and workers cannot ask ${name}: write the address by which they reach this machine, ${EXAMPLE}.`,
    );
  }
  return { host: name, port };
}

/** As it stands in an address. */
export const formatHost = (host: string): string => (isIP(host) === 6 ? `[${host}]` : host);

/**
 * Makes sure that a name does not mean this machine alone, as that of a Debian machine does to itself (127.0.1.1).
 *
 * @param bound the address at which the server listens by that name
 * @throws Error in one sentence
 */
export function refuseLoopbackName({ host }: Pick<ServeAt, 'host'>, bound: string): void {
  const isMeant = isIP(host) !== 0 || /(^|\.)localhost$/i.test(host);
  if (isMeant || !/^(127\.|::1$|::ffff:127\.)/.test(bound)) return;
  throw new Error(
    `models cannot be served at ${host}: this machine takes that name for ${bound}, which no other machine reaches; write its address in the network with --serve-at.`,
  );
}

/** Why a server cannot listen there, as an Error with one sentence; any other error as it is. */
export function explainListenError(error: unknown, { host, port }: ServeAt): unknown {
  const at = `${formatHost(host)}:${port}`;
  const sentences: Record<string, string> = {
    EADDRINUSE: `another program listens there; name another port, or 0 for any that is free`,
    EADDRNOTAVAIL: `this machine does not have that address; name one that it has`,
    EACCES: `this user may not listen at that port; name one above 1023`,
    ENOTFOUND: `no machine of that name is known; name an address of this machine`,
    EAI_AGAIN: `that name cannot be looked up; name an address of this machine`,
  };
  const sentence = sentences[(error as NodeJS.ErrnoException).code ?? ''];
  if (sentence === undefined) return error;
  return new Error(`models cannot be served at ${at}: ${sentence} with --serve-at.`, { cause: error });
}
