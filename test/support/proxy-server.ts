import { createServer, request as ask } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

/**
 * A proxy on this machine that ends with the test that asked for it: forwards what is asked for with a whole address, and opens tunnels. Whatever
 * host is asked for, `target` answers.
 *
 * @param refusal status that it answers in place of what is asked for
 */
export async function startProxy(
  target: string,
  refusal?: number,
): Promise<{ url: string; asked: string[] }> {
  const { port } = new URL(target);
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const { 'proxy-authorization': authorization, ...headers } = request.headers;
    const { pathname, search, host } = new URL(request.url!);
    asked.push(`${request.method} ${host}${authorization ? ` as ${authorization}` : ''}`);
    if (refusal) {
      response.writeHead(refusal).end();
      return;
    }
    ask({ host: '127.0.0.1', port, path: pathname + search, headers }, (answer) => {
      response.writeHead(answer.statusCode!, answer.headers);
      answer.pipe(response);
    }).end();
  });
  server.on('connect', (request, socket) => {
    asked.push(`CONNECT ${request.url}`);
    if (refusal) {
      socket.end(`HTTP/1.1 ${refusal} No\r\n\r\n`);
      return;
    }
    const tunnel = connect(Number(port), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      tunnel.pipe(socket).pipe(tunnel);
    });
    for (const end of [tunnel, socket]) end.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}
