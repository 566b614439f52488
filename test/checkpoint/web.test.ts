import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { downloadFile } from '../../lib/checkpoint/download.js';
import { resolveSource } from '../../lib/checkpoint/hub.js';
import { fetchFromWeb, reasonOf } from '../../lib/checkpoint/web.js';
import { openTranscriber } from '../../lib/scoring/transcribe.js';
import { startServer } from '../support/file-server.js';
import { startHub } from '../support/hub-server.js';
import { startProxy } from '../support/proxy-server.js';
import { temporaryFolder } from '../support/temporary-folder.js';

beforeEach(() => {
  vi.stubEnv('HF_HUB_OFFLINE', '');
  vi.stubEnv('HF_TOKEN', '');
  for (const name of ['http_proxy', 'https_proxy', 'all_proxy', 'no_proxy']) {
    vi.stubEnv(name, undefined);
    vi.stubEnv(name.toUpperCase(), undefined);
  }
  vi.spyOn(process.stderr, 'write').mockReturnValue(true);
});
afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

describe('a proxy that the environment names', () => {
  it('is asked for listings and files of a hub that nobody else can reach', async () => {
    const { url } = await startHub({ files: { 'config.json': Buffer.from('{}') } });
    const proxy = await startProxy(url);
    vi.stubEnv('HF_HOME', temporaryFolder());
    vi.stubEnv('HF_ENDPOINT', 'http://hub.invalid');
    vi.stubEnv('HTTP_PROXY', proxy.url.replace('//', '//me:secret@'));
    const snapshot = await resolveSource('org/model', { type: 'model', choose: (paths) => [...paths] });
    expect(readFileSync(join(snapshot, 'config.json'), 'utf8')).toBe('{}');
    const authorization = `Basic ${Buffer.from('me:secret').toString('base64')}`;
    expect(proxy.asked).toEqual(Array.from({ length: 3 }, () => `GET hub.invalid as ${authorization}`));
  });

  it('opens a tunnel to where the connection is encrypted', async () => {
    const { url } = await startServer((_, response) => response.end());
    const proxy = await startProxy(url);
    vi.stubEnv('https_proxy', proxy.url);
    // The server behind it speaks no TLS.
    await expect(fetchFromWeb('https://hub.invalid/x')).rejects.toThrow(
      `cannot be reached (it does not speak TLS: write http:// in place of https://, perhaps in the address of the proxy, through the proxy ${proxy.url} that https_proxy names)`,
    );
    expect(proxy.asked).toEqual(['CONNECT hub.invalid:443']);
  });

  it('is left out for the hosts of NO_PROXY', async () => {
    const { url } = await startServer((_, response) => response.end('here'));
    const proxy = await startProxy(url);
    vi.stubEnv('ALL_PROXY', proxy.url);
    vi.stubEnv('NO_PROXY', '127.0.0.1');
    expect(await (await fetchFromWeb(url)).text()).toBe('here');
    expect(proxy.asked).toEqual([]);
  });

  it.each(['http://hub.invalid', 'https://hub.invalid'])(
    'is named when it cannot be reached on the way to %s',
    async (address) => {
      vi.stubEnv('ALL_PROXY', 'http://me:secret@127.0.0.1:9');
      await expect(downloadFile(address, join(temporaryFolder(), 'x'))).rejects.toThrow(
        `${address}: cannot be reached (connection refused, through the proxy http://…@127.0.0.1:9 that ALL_PROXY names)`,
      );
    },
  );

  it.each(['http://hub.invalid', 'https://hub.invalid'])(
    'says what it wants on the way to %s',
    async (address) => {
      const { url } = await startProxy('http://127.0.0.1:9', 407);
      vi.stubEnv('ALL_PROXY', url);
      await expect(fetchFromWeb(address)).rejects.toThrow(
        `cannot be reached (the proxy answers 407: it wants a user and a password, as in http://USER:PASSWORD@host:port, through the proxy ${url} that ALL_PROXY names)`,
      );
    },
  );

  it('says that it opens no tunnel', async () => {
    const { url } = await startProxy('http://127.0.0.1:9', 403);
    vi.stubEnv('ALL_PROXY', url);
    await expect(fetchFromWeb('https://hub.invalid')).rejects.toThrow(
      'cannot be reached (the proxy answers 403, through',
    );
  });

  it('is refused when it is of another kind', async () => {
    vi.stubEnv('ALL_PROXY', 'socks5://127.0.0.1:9');
    await expect(fetchFromWeb('http://hub.invalid')).rejects.toThrow(
      'cannot be reached (ALL_PROXY is "socks5://127.0.0.1:9"; a proxy is http://host:port or https://host:port',
    );
  });

  it.each(['http://hub.invalid', 'https://hub.invalid'])(
    'is given up when it says nothing on the way to %s',
    async (address) => {
      const sockets = new Set<{ destroy: () => void }>();
      const silent = createServer((socket) => void sockets.add(socket));
      await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
      onTestFinished(() => {
        for (const socket of sockets) socket.destroy();
        silent.close();
      });
      vi.stubEnv('ALL_PROXY', `http://127.0.0.1:${(silent.address() as AddressInfo).port}`);
      vi.stubEnv('HF_HUB_DOWNLOAD_TIMEOUT', '0.3');
      await expect(fetchFromWeb(address)).rejects.toThrow(/^cannot be reached \((nothing came|no answer)/);
    },
  );
});

it('a certificate that nobody vouches for is told with the variable that names who does', () => {
  const cause = Object.assign(new Error('self-signed certificate'), { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' });
  expect(reasonOf(new TypeError('fetch failed', { cause }))).toBe(
    'its certificate is not trusted (self-signed certificate); NODE_EXTRA_CA_CERTS names a file of others',
  );
});

describe('Whisper', () => {
  it.each([
    ['a web page', '', (url: string) => `${url} answers with a web page`],
    ['an address that is none', 'hub.example', () => 'HF_ENDPOINT is "hub.example", which is no address'],
  ])('is not taken from %s', async (_, endpoint, message) => {
    const { url } = await startServer((_, response) =>
      response.setHeader('Content-Type', 'text/html').end('<html>Sign in</html>'),
    );
    vi.stubEnv('HF_HOME', temporaryFolder());
    vi.stubEnv('HF_ENDPOINT', endpoint || url);
    await expect(openTranscriber({ model: 'tones/page' })).rejects.toThrow(message(url));
  });
});
