import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

/** Answers a request; `count` is how many came before it. */
export type Answer = (request: IncomingMessage, response: ServerResponse, count: number) => void;

/** An HTTP server on this machine that ends with the test that asked for it; its URL, without a slash at the end. */
export async function startServer(answer: Answer): Promise<{ url: string; requests: IncomingMessage[] }> {
  const requests: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    requests.push(request);
    answer(request, response, requests.length - 1);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests };
}

/** Sends `content`, or the part of it that a Range header asks for; breaks the connection after `bytes` of them where that is given. */
export function sendFile(
  request: IncomingMessage,
  response: ServerResponse,
  content: Uint8Array,
  bytes = Infinity,
): void {
  const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
  if (start >= content.length) {
    response.writeHead(416).end();
    return;
  }
  response.writeHead(start > 0 ? 206 : 200, { 'Content-Length': content.length - start });
  const sent = content.subarray(start, start + bytes);
  if (start + sent.length === content.length) response.end(sent);
  // What a reader has not taken yet is lost with the connection.
  else response.write(sent, () => setTimeout(() => response.destroy(), 50));
}

export function sha256(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}
