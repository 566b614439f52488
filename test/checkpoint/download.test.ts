import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { downloadFile, isOffline } from '../../lib/checkpoint/download.js';
import { sendFile, sha256, startServer } from '../support/file-server.js';
import { runScript } from '../support/library-process.js';
import { temporaryFolder } from '../support/temporary-folder.js';

const CONTENT = Uint8Array.from({ length: 300_000 }, (_, i) => (i * i) >> 7);
const SHA256 = sha256(CONTENT);

let folder: string;
let path: string;
beforeEach(() => {
  vi.stubEnv('HF_HUB_OFFLINE', '');
  folder = temporaryFolder();
  path = join(folder, 'cache', 'model.bin');
});
afterEach(() => {
  vi.unstubAllEnvs();
});

const cached = () => readdirSync(join(folder, 'cache'));
/** Not compared by toEqual, which takes a second for so many bytes. */
const isWhole = () => readFileSync(path).equals(CONTENT);
const ranges = (requests: { headers: { range?: string } }[]) => requests.map(({ headers }) => headers.range);

describe('downloadFile', () => {
  it('writes the file, makes its folders, and tells how far it is', async () => {
    const { url } = await startServer((request, response) => sendFile(request, response, CONTENT));
    const progress: [number, number | undefined][] = [];
    await downloadFile(`${url}/model.bin`, path, {
      sha256: SHA256,
      onProgress: (...figures) => progress.push(figures),
    });
    expect(isWhole()).toBe(true);
    expect(cached()).toEqual(['model.bin']);
    expect(progress[0]).toEqual([0, CONTENT.length]);
    expect(progress.at(-1)).toEqual([CONTENT.length, CONTENT.length]);
  });

  it('sends headers', async () => {
    const { url, requests } = await startServer((request, response) => sendFile(request, response, CONTENT));
    await downloadFile(url, path, { headers: { Authorization: 'Bearer x' } });
    expect(requests[0].headers.authorization).toBe('Bearer x');
  });

  it('goes on where a connection broke', async () => {
    const { url, requests } = await startServer((request, response) =>
      sendFile(request, response, CONTENT, 120_000),
    );
    await downloadFile(url, path, { sha256: SHA256 });
    expect(isWhole()).toBe(true);
    expect(requests.length).toBeGreaterThan(2);
    expect(ranges(requests)[0]).toBeUndefined();
    for (const range of ranges(requests).slice(1)) expect(range).toMatch(/^bytes=[1-9]\d*-$/);
  });

  it('starts over at a server that knows no ranges', async () => {
    const { url } = await startServer((request, response, count) => {
      delete request.headers.range;
      sendFile(request, response, CONTENT, count === 0 ? 120_000 : undefined);
    });
    await downloadFile(url, path, { sha256: SHA256 });
    expect(isWhole()).toBe(true);
  });

  it('keeps nothing of a longer file that the server had before the connection broke', async () => {
    const shorter = CONTENT.subarray(0, 1000);
    const { url } = await startServer((request, response, count) => {
      delete request.headers.range;
      if (count === 0) sendFile(request, response, CONTENT, 120_000);
      else sendFile(request, response, shorter);
    });
    await downloadFile(url, path);
    expect(readFileSync(path).equals(shorter)).toBe(true);
  });

  it('gives up where the connection breaks and nothing comes any more; a later call goes on', async () => {
    let mended = false;
    const { url, requests } = await startServer((request, response, count) =>
      sendFile(request, response, CONTENT, mended ? undefined : count === 0 ? 120_000 : 0),
    );
    await expect(downloadFile(url, path, { sha256: SHA256 })).rejects.toThrow(
      `${url}: the connection broke (`,
    );
    expect(cached()).toEqual(['.model.bin.part']);
    mended = true;
    await downloadFile(url, path, { sha256: SHA256 });
    expect(isWhole()).toBe(true);
    expect(ranges(requests).at(-1)).toMatch(/^bytes=[1-9]\d*-$/);
  });

  it('tries again where the server is busy', async () => {
    const { url } = await startServer((request, response, count) => {
      if (count === 0) response.writeHead(503).end();
      else sendFile(request, response, CONTENT);
    });
    await downloadFile(url, path, { sha256: SHA256 });
    expect(cached()).toEqual(['model.bin']);
  });

  it('refuses another file than was asked for, and leaves nothing', async () => {
    const { url } = await startServer((request, response) => sendFile(request, response, Buffer.from('no')));
    await expect(downloadFile(url, path, { sha256: SHA256 })).rejects.toThrow(
      `${url}: refused: the SHA-256 of what came is ${sha256(Buffer.from('no'))}; expected ${SHA256}`,
    );
    expect(cached()).toEqual([]);
  });

  it('reads no more than a little of a file that goes on after its size', async () => {
    let left = 1000;
    const { url } = await startServer((_, response) => {
      const send = () => {
        while (left-- > 0)
          if (!response.write(Buffer.alloc(2 ** 20))) return void response.once('drain', send);
        response.end();
      };
      send();
    });
    await expect(downloadFile(url, path, { sha256: SHA256, bytes: CONTENT.length })).rejects.toThrow(
      `${url}: refused: more came than the ${CONTENT.length} bytes that it has`,
    );
    expect(left).toBeGreaterThan(900);
    expect(cached()).toEqual([]);
  });

  it.each([
    ['of the same length', CONTENT.length],
    ['that is longer', CONTENT.length + 7],
    ['that is shorter', 1000],
  ])('starts over where it finds a wrong beginning %s', async (_, length) => {
    const { url } = await startServer((request, response) => sendFile(request, response, CONTENT));
    await downloadFile(url, path);
    writeFileSync(join(folder, 'cache', '.model.bin.part'), new Uint8Array(length));
    await downloadFile(url, path, { sha256: SHA256 });
    expect(isWhole()).toBe(true);
    expect(cached()).toEqual(['model.bin']);
  });

  it('does not trust a beginning where nothing can be checked', async () => {
    const { url, requests } = await startServer((request, response) => sendFile(request, response, CONTENT));
    await downloadFile(url, path);
    writeFileSync(join(folder, 'cache', '.model.bin.part'), new Uint8Array(1000));
    await downloadFile(url, path);
    expect(isWhole()).toBe(true);
    expect(ranges(requests)).toEqual([undefined, undefined]);
  });

  it('keeps the old file where it fails', async () => {
    const { url } = await startServer((request, response, count) =>
      count === 0 ? sendFile(request, response, CONTENT) : response.writeHead(404).end(),
    );
    await downloadFile(url, path);
    await expect(downloadFile(url, path)).rejects.toThrow(`${url}: the server answers 404 Not Found`);
    expect(isWhole()).toBe(true);
  });

  it('gives several calls the whole file, also where connections break', async () => {
    const { url } = await startServer((request, response, count) =>
      sendFile(request, response, CONTENT, [120_000, 7, 0, 250_000][count % 4]),
    );
    await Promise.all(Array.from({ length: 4 }, () => downloadFile(url, path, { sha256: SHA256 })));
    expect(isWhole()).toBe(true);
    expect(cached()).toEqual(['model.bin']);
  });

  it.each([
    ['whose hash is known', { sha256: SHA256 }],
    ['whose hash is not known', {}],
  ])('gives several processes the whole file %s', async (_, options) => {
    // Pieces with pauses, so that all are at it at the same time; ranges are not known to the server, which costs what has come.
    const { url } = await startServer(async (_, response, count) => {
      response.writeHead(200, { 'Content-Length': CONTENT.length });
      for (let at = 0; at < CONTENT.length; at += 30_000) {
        await sleep(20 + 10 * (count % 3));
        if (count % 3 === 2 && at > 200_000 && 'sha256' in options) return response.destroy();
        response.write(CONTENT.subarray(at, at + 30_000));
      }
      response.end();
    });
    const script = `
      const { downloadFile } = await library('checkpoint/download.js');
      const { readFileSync } = await import('node:fs');
      const { createHash } = await import('node:crypto');
      await downloadFile(${JSON.stringify(url)}, ${JSON.stringify(path)}, ${JSON.stringify(options)});
      // Again and again, since another process could cut what is finished.
      for (let i = 0; i < 100; i++) {
        const found = createHash('sha256').update(readFileSync(${JSON.stringify(path)})).digest('hex');
        if (found !== '${SHA256}') throw new Error('cut');
        await new Promise((resolve) => setTimeout(resolve, 5));
      }`;
    const ended = await Promise.all(
      Array.from({ length: 3 }, () => runScript(script, { HF_HUB_OFFLINE: '' }).ended),
    );
    expect(ended.map(({ code, stderr }) => ({ code, stderr }))).toEqual(
      Array.from({ length: 3 }, () => ({ code: 0, stderr: '' })),
    );
    expect(cached()).toEqual(['model.bin']);
  });

  it('goes on from what a killed process left, and leaves alone what a living one writes', async () => {
    const half = CONTENT.length / 2;
    let areMended = false;
    const { url, requests } = await startServer((request, response) => {
      if (areMended) return sendFile(request, response, CONTENT);
      response.writeHead(200, { 'Content-Length': CONTENT.length }).write(CONTENT.subarray(0, half));
    });
    const script = `
      const { downloadFile } = await library('checkpoint/download.js');
      await downloadFile(${JSON.stringify(url)}, ${JSON.stringify(path)}, { sha256: '${SHA256}' });`;
    const start = () => runScript(script, { HF_HUB_OFFLINE: '', HF_HUB_DOWNLOAD_TIMEOUT: '600' });
    const sizes = () =>
      (existsSync(join(folder, 'cache')) ? cached() : []).map(
        (name) => statSync(join(folder, 'cache', name)).size,
      );
    const killed = start();
    await expect.poll(sizes, { timeout: 60_000 }).toEqual([half]);
    killed.child.kill('SIGKILL');
    await killed.ended;
    const [left] = cached();
    const living = start();
    await expect.poll(() => cached().join(), { timeout: 60_000 }).not.toContain(left);
    await expect.poll(() => requests, { timeout: 60_000 }).toHaveLength(2);
    areMended = true;
    await downloadFile(url, path, { sha256: SHA256 });
    expect(isWhole()).toBe(true);
    expect(living.child.exitCode).toBe(null);
    expect(cached()).toHaveLength(2);
    // The one that was killed, the one that goes on from there, and this one, which finds nothing to go on from.
    expect(ranges(requests)).toEqual([undefined, `bytes=${half}-`, undefined]);
  });

  describe('from a server that sends a byte now and then', () => {
    beforeEach(() => vi.stubEnv('HF_HUB_DOWNLOAD_TIMEOUT', '0.2'));
    const drip = (response: ServerResponse, bytes: number): void => {
      response.write('x');
      if (bytes > 1) setTimeout(() => drip(response, bytes - 1), 20);
      else response.destroy();
    };

    it.each([
      ['for ever', Infinity],
      ['and breaks each connection', 10],
    ])('gives up: %s', async (_, bytes) => {
      const { url } = await startServer((request, response) => {
        response.writeHead(request.headers.range ? 206 : 200);
        drip(response, bytes);
      });
      await expect(downloadFile(url, path, { sha256: SHA256 })).rejects.toThrow(
        /: sends too slowly: \d+ bytes in 1 seconds, and 1000 a second are the least$/,
      );
      expect(cached()).toEqual(['.model.bin.part']);
    });
  });

  it('begins no file for which the disk has no room', async () => {
    let isLeft = false;
    const { url } = await startServer((_, response) => {
      response.on('close', () => (isLeft = true));
      response.writeHead(200, { 'Content-Length': 1e15 }).write('x');
    });
    await expect(downloadFile(url, path)).rejects.toThrow('the disk is nearly full: saving to');
    await expect.poll(() => isLeft).toBe(true);
    expect(cached()).toEqual([]);
  });

  describe('from a server that says nothing', () => {
    beforeEach(() => vi.stubEnv('HF_HUB_DOWNLOAD_TIMEOUT', '0.3'));
    const NOTHING = 'nothing came for longer than HF_HUB_DOWNLOAD_TIMEOUT';

    it('gives up where it never answers', async () => {
      const { url, requests } = await startServer(() => undefined);
      await expect(downloadFile(url, path, { sha256: SHA256 })).rejects.toThrow(
        `${url}: cannot be reached (${NOTHING}`,
      );
      expect(requests).toHaveLength(4);
      expect(cached()).toEqual([]);
    });

    it('goes on where it falls silent on the way', async () => {
      const { url, requests } = await startServer((request, response, count) => {
        if (count > 0) return sendFile(request, response, CONTENT);
        response.writeHead(200, { 'Content-Length': CONTENT.length }).write(CONTENT.subarray(0, 1000));
      });
      await downloadFile(url, path, { sha256: SHA256 });
      expect(isWhole()).toBe(true);
      expect(ranges(requests)).toEqual([undefined, 'bytes=1000-']);
    });

    it('says so where it stays silent', async () => {
      const { url } = await startServer((_, response) => {
        response.writeHead(206, { 'Content-Length': CONTENT.length }).flushHeaders();
      });
      await expect(downloadFile(url, path, { sha256: SHA256 })).rejects.toThrow(
        `${url}: the connection broke (${NOTHING}`,
      );
    });

    it('says what is wrong with the time to wait', async () => {
      vi.stubEnv('HF_HUB_DOWNLOAD_TIMEOUT', 'long');
      await expect(downloadFile('http://127.0.0.1:9', path)).rejects.toThrow(
        'HF_HUB_DOWNLOAD_TIMEOUT is "long"; it is a number of seconds',
      );
    });
  });

  it('refuses a web page in the place of a file', async () => {
    const { url } = await startServer((_, response) =>
      response.setHeader('Content-Type', 'text/html; charset=utf-8').end('<html>Sign in</html>'),
    );
    await expect(downloadFile(url, path)).rejects.toThrow(
      `${url}: answers with a web page (a network may want you to sign in)`,
    );
    expect(cached()).toEqual([]);
  });

  it.each(['model.bin', 'hub.example/x', 'ftp://hub/x', 'http://', 'http://host:99999/x'])(
    'says that %s is no address',
    async (address) => {
      await expect(downloadFile(address, path)).rejects.toThrow(
        /^the address to download from is ".*", which is no address: write http:\/\/ or https:\/\//,
      );
    },
  );

  it('says of an address with a password what is wrong with it', async () => {
    await expect(downloadFile('http://me:pw@host/x', path)).rejects.toThrow(
      'the address to download from is "http://…@host/x", and a user and a password in an address cannot be used: leave them out',
    );
  });

  it('says that a server cannot be reached', async () => {
    const nowhere = 'http://127.0.0.1:65534';
    await expect(downloadFile(nowhere, path)).rejects.toThrow(
      `${nowhere}: cannot be reached (connection refused)`,
    );
  });

  it('stops when asked to', async () => {
    const controller = new AbortController();
    const { url } = await startServer((_, response) => {
      response.writeHead(200).write('a');
    });
    const download = downloadFile(url, path, {
      signal: controller.signal,
      onProgress: (received) => {
        if (received > 0) controller.abort();
      },
    });
    await expect(download).rejects.toThrow(/abort/);
  });

  it.each(['1', 'true', 'ON', 'Yes'])('asks nobody with HF_HUB_OFFLINE=%s', async (value) => {
    vi.stubEnv('HF_HUB_OFFLINE', value);
    const { url, requests } = await startServer((request, response) => sendFile(request, response, CONTENT));
    expect(isOffline()).toBe(true);
    await expect(downloadFile(url, path)).rejects.toThrow(
      `${url}: not downloaded, because HF_HUB_OFFLINE is set`,
    );
    expect(requests).toEqual([]);
  });

  it.each(['', '0', 'false'])('is allowed with HF_HUB_OFFLINE=%s', (value) => {
    vi.stubEnv('HF_HUB_OFFLINE', value);
    expect(isOffline()).toBe(false);
  });
});
