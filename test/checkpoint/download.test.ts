import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { downloadFile, isOffline } from '../../lib/checkpoint/download.js';
import { sendFile, sha256, startServer } from '../support/file-server.js';
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
