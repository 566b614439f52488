import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { loadDnsmos } from '../../lib/scoring/dnsmos/dnsmos.js';
import { loadNisqa } from '../../lib/scoring/nisqa/nisqa.js';
import { breakDisk } from '../support/faulty-disk.mjs';
import { sendFile, startServer } from '../support/file-server.js';
import { sharedPath } from '../support/shared.js';
import { temporaryFolder } from '../support/temporary-folder.js';

let cache: string;
let said: string;
beforeEach(() => {
  cache = temporaryFolder();
  vi.stubEnv('XDG_CACHE_HOME', cache);
  vi.stubEnv('HF_HUB_OFFLINE', '');
  vi.stubEnv('NISQA_WEIGHTS', undefined);
  vi.stubEnv('DNSMOS_WEIGHTS', undefined);
  said = '';
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    said += String(text);
    return true;
  });
});
afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

/** What lies in speech-dpo's folder of the cache. */
const cached = () => (existsSync(join(cache, 'speech-dpo')) ? readdirSync(join(cache, 'speech-dpo')) : []);

describe('weights of NISQA', () => {
  it('are refused when they are others, and nothing stays', async () => {
    const { url } = await startServer((request, response) => sendFile(request, response, Buffer.from('x')));
    vi.stubEnv('NISQA_MIRROR', url);
    await expect(loadNisqa()).rejects.toThrow(
      new RegExp(
        `^NISQA weights not found, and not downloaded: ${url}/nisqa.tar: refused: the SHA-256 .* pass its path, set the environment variable NISQA_WEIGHTS to it, or put it at ${cache}/speech-dpo/nisqa.tar$`,
      ),
    );
    expect(cached()).toEqual([]);
  });

  it('are asked for at the mirror, which may not have them', async () => {
    const { url, requests } = await startServer((_, response) => response.writeHead(404).end());
    for (const mirror of [url, `${url}/`]) {
      vi.stubEnv('NISQA_MIRROR', mirror);
      await expect(loadNisqa()).rejects.toThrow(
        `not downloaded: ${url}/nisqa.tar: the server answers 404 Not Found (NISQA_MIRROR names this address). Provide nisqa.tar`,
      );
    }
    expect(requests.map(({ url }) => url)).toEqual(['/nisqa.tar', '/nisqa.tar']);
    vi.stubEnv('NISQA_MIRROR', 'weights');
    await expect(loadNisqa()).rejects.toThrow(
      'not downloaded: NISQA_MIRROR is "weights", which is no address: write http:// or https://, a host',
    );
  });

  it('cannot be kept where the disk is full or the cache is no folder, which is told with what mends it', async () => {
    vi.stubEnv('NISQA_MIRROR', (await startServer((_, response) => response.writeHead(200).end('x'))).url);
    breakDisk('full');
    const failure = await loadNisqa().catch((error: unknown) => error as Error);
    breakDisk('none');
    expect(failure).toMatchObject({
      message: expect.stringContaining(
        `not downloaded: cannot write to ${cache}/speech-dpo: the disk is full; make room there, or name another folder with XDG_CACHE_HOME. Provide nisqa.tar`,
      ) as string,
      cause: { code: 'ENOSPC' },
    });
    writeFileSync(join(cache, 'file'), '');
    vi.stubEnv('XDG_CACHE_HOME', join(cache, 'file'));
    await expect(loadNisqa()).rejects.toThrow(
      `cannot write to ${cache}/file/speech-dpo: a part of the path is a file; name another folder with XDG_CACHE_HOME. Provide`,
    );
  });

  it('are not asked for offline, where a person provides them in one of three ways', async () => {
    vi.stubEnv('HF_HUB_OFFLINE', '1');
    await expect(loadNisqa()).rejects.toThrow(
      /not downloaded: HF_HUB_OFFLINE is set\. Provide nisqa\.tar .* in one of three ways/,
    );
    await expect(loadNisqa('/nowhere/n.tar')).rejects.toThrow('the path given is /nowhere/n.tar');
    vi.stubEnv('NISQA_WEIGHTS', '/elsewhere/n.tar');
    await expect(loadNisqa()).rejects.toThrow('NISQA_WEIGHTS is /elsewhere/n.tar');
    expect(said).toBe('');
  });

  const weights = sharedPath('nisqa/nisqa.tar');
  it.skipIf(!weights)('are downloaded once, over a connection that breaks, with their licence', async () => {
    const content = readFileSync(weights!);
    const { url, requests } = await startServer((request, response) =>
      sendFile(request, response, content, 600_000),
    );
    vi.stubEnv('NISQA_MIRROR', url);
    const noise = Float32Array.from({ length: 16000 }, (_, i) => Math.sin(i * i));
    let told = '';
    for (let call = 0; call < 2; call++) {
      const nisqa = await loadNisqa(undefined, { onNotice: (sentence) => (told += sentence) });
      expect(await nisqa.score(noise, 16000)).toHaveProperty('mos');
      await nisqa.dispose();
    }
    expect(cached()).toEqual(['nisqa.tar']);
    expect(requests.length).toBeGreaterThan(1);
    expect(told.match(/CC BY-NC-SA 4\.0/g)).toHaveLength(1);
    expect(said).toBe('');
  });
});

describe('weights of DNSMOS', () => {
  /** Stands in for Python: leaves `content` as both networks where pip is told to install. */
  function fakePython(content: string): void {
    const script = join(cache, 'python');
    writeFileSync(
      script,
      `#!${process.execPath}
      const { mkdirSync, writeFileSync } = require('node:fs');
      const args = process.argv.slice(2);
      if (args.at(-1) !== 'speechmos==0.0.1.1') throw new Error('asked for ' + args);
      const folder = args[args.indexOf('--target') + 1] + '/speechmos/dnsmos_models';
      mkdirSync(folder, { recursive: true });
      for (const file of ['sig_bak_ovr.onnx', 'model_v8.onnx']) writeFileSync(folder + '/' + file, ${JSON.stringify(content)});`,
    );
    chmodSync(script, 0o755);
    vi.stubEnv('SPEECH_DPO_PYTHON', script);
  }

  it('are refused when they are others, and nothing stays', async () => {
    fakePython('nothing');
    let told = '';
    const onNotice = (sentence: string) => (told += sentence);
    await expect(loadDnsmos(undefined, { onNotice })).rejects.toThrow(
      /not downloaded: the SHA-256 of speechmos==0\.0\.1\.1's sig_bak_ovr\.onnx is .*; expected 269fbebd.*DNSMOS_WEIGHTS/,
    );
    expect(cached()).toEqual([]);
    expect(told).toContain('Licence: MIT');
    expect(said).toBe('');
  });

  it('need a Python, and its absence is told', async () => {
    vi.stubEnv('SPEECH_DPO_PYTHON', '/nowhere/python');
    await expect(loadDnsmos()).rejects.toThrow(
      'DNSMOS weights not found, and not downloaded: cannot run /nowhere/python: spawn /nowhere/python ENOENT. Provide',
    );
  });

  it('are taken from the cache', async () => {
    mkdirSync(join(cache, 'speech-dpo', 'dnsmos_models'), { recursive: true });
    await expect(loadDnsmos()).rejects.toThrow(`dnsmos_models/sig_bak_ovr.onnx: cannot load`);
    expect(said).toBe('');
  });
});
