import { readFileSync, renameSync, rmSync, truncateSync } from 'node:fs';
import { createServer } from 'node:net';
import { connect, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { parseServeAt, refuseLoopbackName } from '../../../lib/farm/files/serve-at.js';
import { serveFiles } from '../../../lib/farm/files/server.js';
import { modelFolder, serveFolders, WEIGHTS_BYTES } from './model-folder.js';

async function serveWeights() {
  const folder = modelFolder();
  const { server, manifests } = await serveFolders(folder);
  const [manifest] = manifests;
  const { sha256 } = manifest.files.find(({ name }) => name === 'model.safetensors')!;
  const ask = (
    path: string,
    { headers = {}, ...init }: { method?: string; headers?: Record<string, string> } = {},
  ) =>
    fetch(server.address + path, {
      headers: { Authorization: `Bearer ${server.token}`, ...headers },
      ...init,
    });
  const weights = join(folder, 'model.safetensors');
  return { server, manifest, path: `/files/${sha256}`, ask, weights, content: readFileSync(weights) };
}

describe('serveFiles', () => {
  it('gives a file that is offered, whole or a range of it', async () => {
    const { ask, path, content, server } = await serveWeights();
    expect(server.address).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    const whole = await ask(path);
    expect(whole.status).toBe(200);
    expect(whole.headers.get('accept-ranges')).toBe('bytes');
    expect(Buffer.from(await whole.arrayBuffer()).equals(content)).toBe(true);
    const last = WEIGHTS_BYTES - 1;
    for (const [range, start, end] of [
      ['bytes=0-0', 0, 0],
      ['bytes=100-', 100, last],
      ['bytes=100-199', 100, 199],
      [`bytes=100-${10 * WEIGHTS_BYTES}`, 100, last],
      ['bytes=-10', last - 9, last],
      [`bytes=-${10 * WEIGHTS_BYTES}`, 0, last],
    ] as const) {
      const part = await ask(path, { headers: { Range: range } });
      expect([range, part.status]).toEqual([range, 206]);
      expect(part.headers.get('content-range')).toBe(`bytes ${start}-${end}/${WEIGHTS_BYTES}`);
      expect(Buffer.from(await part.arrayBuffer()).equals(content.subarray(start, end + 1))).toBe(true);
    }
  });

  it('refuses a range that the file does not have, and passes over what is none', async () => {
    const { ask, path } = await serveWeights();
    for (const range of [`bytes=${WEIGHTS_BYTES}-`, 'bytes=-0']) {
      const answer = await ask(path, { headers: { Range: range } });
      expect([range, answer.status]).toEqual([range, 416]);
      expect(answer.headers.get('content-range')).toBe(`bytes */${WEIGHTS_BYTES}`);
    }
    for (const range of ['bytes=5-2', 'bytes=0-1,5-6', 'lines=1-2', 'bytes=-', 'bytes=a-b']) {
      const answer = await ask(path, { headers: { Range: range } });
      expect([range, answer.status]).toEqual([range, 200]);
      await answer.arrayBuffer();
    }
  });

  it('tells the size of a file alone for HEAD, and does nothing else', async () => {
    const { ask, path } = await serveWeights();
    const head = await ask(path, { method: 'HEAD' });
    expect([head.status, head.headers.get('content-length')]).toEqual([200, String(WEIGHTS_BYTES)]);
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS'])
      expect((await ask(path, { method })).status).toBe(405);
  });

  it('answers nobody without the token', async () => {
    const { ask, path, server } = await serveWeights();
    for (const Authorization of [
      '',
      'Bearer',
      'Bearer x',
      server.token,
      `Basic ${server.token}`,
      `Bearer ${server.token}x`,
    ]) {
      for (const asked of [path, '/', '/files/x']) {
        const answer = await ask(asked, { headers: { Authorization } });
        expect([Authorization, asked, answer.status]).toEqual([Authorization, asked, 401]);
      }
    }
    expect(server.token).toMatch(/^[0-9a-f]{64}$/);
  });

  it('gives nothing that is not offered', async () => {
    const { ask, path, server, manifest } = await serveWeights();
    for (const asked of [
      '/',
      '/files',
      '/files/',
      `/files/${'0'.repeat(64)}`,
      `${path}?x`,
      `${path}/`,
      '/config.json',
    ])
      expect([asked, (await ask(asked)).status]).toEqual([asked, 404]);
    server.withdraw(manifest.hash);
    expect((await ask(path)).status).toBe(404);
  });

  it.each([
    ['../../etc/passwd', 404],
    ['/etc/passwd', 404],
  ])('reads no path that is asked for: %s', async (asked, status) => {
    const { server } = await serveWeights();
    const { port } = new URL(server.address);
    const socket = connect(Number(port), '127.0.0.1');
    // As it stands: fetch would tidy the path.
    socket.write(
      `GET /files/${asked} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${server.token}\r\nConnection: close\r\n\r\n`,
    );
    let text = '';
    for await (const chunk of socket) text += String(chunk);
    expect(text).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  });

  it('says that a file is gone that vanished or has another size', async () => {
    const { ask, path, weights } = await serveWeights();
    renameSync(weights, `${weights}.aside`);
    expect((await ask(path)).status).toBe(410);
    renameSync(`${weights}.aside`, weights);
    expect((await ask(path, { method: 'HEAD' })).status).toBe(200);
    truncateSync(weights, 10);
    expect((await ask(path)).status).toBe(410);
  });

  it('gives a file as long as one of the folders that have it is offered and there', async () => {
    const [a, b] = [modelFolder(), modelFolder()];
    const { server, manifests } = await serveFolders(a, b);
    const { sha256 } = manifests[0].files.find(({ name }) => name === 'tokenizer.json')!;
    const ask = async () =>
      (
        await fetch(`${server.address}/files/${sha256}`, {
          headers: { Authorization: `Bearer ${server.token}` },
        })
      ).status;
    rmSync(join(a, 'tokenizer.json'));
    expect(await ask()).toBe(200);
    server.withdraw(manifests[0].hash);
    expect(await ask()).toBe(200);
    server.withdraw(manifests[1].hash);
    expect(await ask()).toBe(404);
  });

  it('says in a sentence why it cannot listen', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void other.close());
    const { port } = other.address() as AddressInfo;
    await expect(serveFiles({ port })).rejects.toThrow(
      `models cannot be served at 127.0.0.1:${port}: another program listens there; name another port, or 0 for any that is free with --serve-at.`,
    );
    // Of the addresses that documentation may use (RFC 5737): no machine has it.
    await expect(serveFiles({ host: '192.0.2.1', port: 8700 })).rejects.toThrow(
      'models cannot be served at 192.0.2.1:8700: this machine does not have that address',
    );
  });
});

describe('parseServeAt', () => {
  it.each([
    ['10.0.0.5:8700', { host: '10.0.0.5', port: 8700 }],
    ['trainer-1.cluster.local:0', { host: 'trainer-1.cluster.local', port: 0 }],
    ['[fd00::1]:8700', { host: 'fd00::1', port: 8700 }],
  ])('reads %s', (text, expected) => {
    expect(parseServeAt(text)).toEqual(expected);
  });

  it.each([
    '',
    '8700',
    '10.0.0.5',
    ':8700',
    'http://10.0.0.5:8700',
    '10.0.0.5:99999',
    'a b:1',
    'fd00::1:8700',
    '[x]:1',
    'me:pw@host:1',
  ])('says that %j is none', (text) => {
    expect(() => parseServeAt(text)).toThrow(/^--serve-at is ".*", which is no HOST:PORT: .*\.$/);
  });

  it.each(['0.0.0.0:8700', '[::]:8700', '[0:0::0]:1'])('refuses %s, which workers cannot ask', (text) => {
    expect(() => parseServeAt(text)).toThrow(
      /workers cannot ask .*: write the address by which they reach this machine/,
    );
  });
});

describe('refuseLoopbackName', () => {
  it.each([
    ['trainer', '127.0.1.1'],
    ['trainer.cluster.local', '::1'],
  ])('refuses the name %s that means %s', (host, bound) => {
    expect(() => refuseLoopbackName({ host }, bound)).toThrow(
      `models cannot be served at ${host}: this machine takes that name for ${bound}, which no other machine reaches`,
    );
  });

  it.each([
    ['trainer', '10.0.0.5'],
    ['localhost', '127.0.0.1'],
    ['127.0.0.1', '127.0.0.1'],
    ['::1', '::1'],
  ])('takes %s that means %s', (host, bound) => {
    expect(() => refuseLoopbackName({ host }, bound)).not.toThrow();
  });
});
