import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

/** A sample as it is sent to a reward's server. */
export interface SentSample {
  instruction: string;
  source: number[];
  codes: number[];
  audio?: string;
}

/** What a server answers: a status, and JSON or text. */
export type Answer = [status: number, body: unknown];

/**
 * Starts a server of a reward; it ends with the test.
 *
 * @param describe what it answers on GET
 * @param score what it answers on POST to these samples
 * @returns its address
 */
export async function startRewardServer(
  describe: Answer,
  score: (samples: SentSample[]) => Answer,
): Promise<string> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const read = () => (JSON.parse(Buffer.concat(chunks).toString()) as { samples: SentSample[] }).samples;
      const [status, body] = request.method === 'POST' ? score(read()) : describe;
      response.writeHead(status).end(typeof body === 'string' ? body : JSON.stringify(body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/score`;
}
