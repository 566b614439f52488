import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { openCodec } from '../../../lib/codec/open.js';
import { claimOf, incomingOf } from '../../../lib/farm/files/cache.js';
import { claim } from '../../../lib/farm/files/claim.js';
import { fetchProblemOf } from '../../../lib/farm/files/failure.js';
import { fetchFolder, type FetchOptions } from '../../../lib/farm/files/fetch.js';
import { describeFolder, hashOfFiles, type FolderManifest } from '../../../lib/farm/files/manifest.js';
import { resolveModelDirectory } from '../../../lib/package-root.js';
import { isPlainError } from '../../../lib/plain-error.js';
import { loadPolicy } from '../../../lib/policy/policy.js';
import { device } from '../../support/device.js';
import { breakDisk } from '../../support/faulty-disk.mjs';
import { sendFile, startServer } from '../../support/file-server.js';
import { runScript } from '../../support/library-process.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import { describeElsewhere, modelFolder, serveFolders, WEIGHTS_BYTES } from './model-folder.js';

afterEach(() => {
  breakDisk('none');
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

const now = performance.now.bind(performance);

/** From now on it is so much later than it is. */
function letTimePass(ms: number): void {
  vi.spyOn(performance, 'now').mockImplementation(() => now() + ms);
}

/** A worker's options, and what it is told. */
function worker(server?: FetchOptions['server'], options: Partial<FetchOptions> = {}) {
  const notices: string[] = [];
  const cache = temporaryFolder();
  const onNotice = (sentence: string) => void notices.push(sentence);
  return { notices, cache, options: { server, cache, kind: 'policy', onNotice, ...options } };
}

const hashesIn = (cache: string) =>
  readdirSync(join(cache, 'policy'))
    .filter((name) => !name.startsWith('.'))
    .sort();
/** What lies hidden there that is no mark of a process that lives. */
const leftIn = (cache: string) =>
  readdirSync(join(cache, 'policy')).filter((name) => name.startsWith('.') && !name.endsWith('.use'));

function expectEqualFiles(folder: string, original: string, { files }: FolderManifest): void {
  for (const { name } of files)
    expect(readFileSync(join(folder, name)).equals(readFileSync(join(original, name)))).toBe(true);
}

async function failureOf(fetching: Promise<string>) {
  const error: unknown = await fetching.then(
    () => expect.unreachable(),
    (error: unknown) => error,
  );
  expect(isPlainError(error)).toBe(true);
  const { message, cause } = error as Error & { cause?: { code?: string } };
  expect(message).toMatch(/^[^\n]+\.$/);
  return { problem: fetchProblemOf(error), message, code: cause?.code };
}

/** A server that answers as a run's does, but for what `breakAt` says: after how many bytes of its n-th answer the connection breaks. */
async function serveBadly(folder: string, breakAt: (count: number) => number | undefined) {
  const { here, elsewhere } = await describeElsewhere(folder);
  const { url, requests } = await startServer((request, response, count) => {
    const file = here.files.find(({ sha256 }) => request.url === `/files/${sha256}`)!;
    sendFile(request, response, readFileSync(join(folder, file.name)), breakAt(count));
  });
  return { server: { address: url, token: 'secret' }, manifest: elsewhere, requests };
}

describe('fetchFolder', () => {
  it('takes the folder of the trainer where this machine sees it', async () => {
    const folder = modelFolder();
    const { options, cache } = worker();
    const manifest = await describeFolder(folder);
    expect(await fetchFolder(manifest, options)).toBe(folder);
    expect(readdirSync(cache)).toEqual([]);
  });

  it('does not take other files that lie there under the same path', async () => {
    const folder = modelFolder();
    const { server, manifests } = await serveFolders(folder);
    const other = modelFolder();
    const { options, notices } = worker(server);
    const fetched = await fetchFolder({ ...manifests[0], path: other }, options);
    expectEqualFiles(fetched, folder, manifests[0]);
    expect(notices).toEqual([
      `${other} has other files here than at the trainer, and is not used.`,
      `Downloading the policy (301002 bytes) from ${server.address}`,
    ]);
  });

  it.each(['policy', 'nar', 'codec'] as const)(
    'fetches the embedded %s, which opens, though the hub is forbidden and a proxy named',
    async (part) => {
      vi.stubEnv('HF_HUB_OFFLINE', '1');
      vi.stubEnv('HTTP_PROXY', 'http://127.0.0.1:9');
      vi.stubEnv('http_proxy', 'http://127.0.0.1:9');
      const original = join(resolveModelDirectory('default'), part);
      const { server, manifests } = await serveFolders(original);
      const { options, cache } = worker(server, { kind: part });
      const folder = await fetchFolder(manifests[0], options);
      expect(folder).toBe(join(cache, part, manifests[0].hash));
      expectEqualFiles(folder, original, manifests[0]);
      if (part === 'codec') {
        const codec = await openCodec(folder, device);
        expect(codec.codebooks).toBe(8);
        await codec.dispose();
      } else expect((await loadPolicy(folder)).weights.size).toBeGreaterThan(10);
      await server.close();
      expect(await fetchFolder(manifests[0], options)).toBe(folder);
    },
  );

  it('goes on where the connection broke', async () => {
    const folder = modelFolder();
    const { server, manifest, requests } = await serveBadly(folder, () => 120_000);
    const { options } = worker(server);
    expectEqualFiles(await fetchFolder(manifest, options), folder, manifest);
    const ranges = requests.map(({ headers }) => headers.range).filter((range) => range !== undefined);
    expect(ranges.length).toBeGreaterThan(1);
    for (const { headers } of requests) expect(headers.authorization).toBe('Bearer secret');
  });

  it('goes on with what came before a server was lost', async () => {
    const folder = modelFolder();
    const { options, cache } = worker();
    // The files of a folder come by name: config.json, the weights, tokenizer.json.
    const lost = await serveBadly(folder, (count) => (count === 0 ? undefined : count === 1 ? 120_000 : 0));
    const failure = await failureOf(fetchFolder(lost.manifest, { ...options, server: lost.server }));
    expect(failure.problem).toBe('unreachable');
    expect(failure.message).toContain(`${lost.server.address} the connection broke`);
    expect(hashesIn(cache)).toEqual([]);
    const found = await serveBadly(folder, () => undefined);
    expectEqualFiles(
      await fetchFolder(found.manifest, { ...options, server: found.server }),
      folder,
      found.manifest,
    );
    expect(found.requests.map(({ headers }) => headers.range)).toEqual(['bytes=120000-', undefined]);
    expect(leftIn(cache)).toEqual([]);
  });

  it('refuses other content than the hash says', async () => {
    const folder = modelFolder();
    const { server, manifests } = await serveFolders(folder);
    const { options, cache } = worker(server);
    writeFileSync(join(folder, 'model.safetensors'), new Uint8Array(WEIGHTS_BYTES));
    const { problem, message } = await failureOf(fetchFolder(manifests[0], options));
    expect(problem).toBe('other-content');
    expect(message).toContain('model.safetensors (300000 bytes) as http://127.0.0.1:');
    expect(message).toContain('it was changed after the run offered it.');
    expect(message).not.toContain(server.token);
    expect(hashesIn(cache)).toEqual([]);
  });

  it('tells a server that cannot be reached from one that does not offer the folder to it', async () => {
    const folder = modelFolder();
    const { server, manifests } = await serveFolders(folder);
    const [manifest] = manifests;
    const { options } = worker();
    const fetchFrom = (given?: FetchOptions['server']) =>
      failureOf(fetchFolder(manifest, { ...options, server: given }));
    const none = await fetchFrom();
    expect(none.problem).toBe('unreachable');
    expect(none.message).toBe(
      `${manifest.path} is not on this machine, and the run serves no files: start the run with --serve-at ADDRESS:PORT, or put its folder where this worker sees it under the same path.`,
    );
    const ofAnotherRun = await fetchFrom({ ...server, token: 'a'.repeat(64) });
    expect(ofAnotherRun.problem).toBe('withdrawn');
    expect(ofAnotherRun.message).toMatch(
      /^http:.* does not offer \/nowhere\/.* to this worker \(it answers 401\)/,
    );
    server.withdraw(manifest.hash);
    expect((await fetchFrom(server)).message).toContain('(it answers 404)');
    await server.close();
    const gone = await fetchFrom(server);
    expect(gone.problem).toBe('unreachable');
    expect(gone.message).toContain(
      `could not be fetched from the trainer: ${server.address} cannot be reached (connection refused); start the run with --serve-at`,
    );
    for (const { message } of [none, ofAnotherRun, gone]) expect(message).not.toContain(server.token);
  });

  it('downloads once for all processes of a machine, each of which ends with all of it', async () => {
    const folder = modelFolder();
    const { server, manifest, requests } = await serveBadly(folder, (count) =>
      count % 2 === 0 ? 200_000 : undefined,
    );
    const { cache, options } = worker(server);
    const script = `
      const { fetchFolder } = await library('farm/files/fetch.js');
      const { compareFolder } = await library('farm/files/cache.js');
      const manifest = ${JSON.stringify(manifest)};
      const folder = await fetchFolder(manifest, ${JSON.stringify({ server, cache, kind: 'policy' })});
      console.log(await compareFolder(folder, manifest));`;
    const others = [runScript(script), runScript(script)];
    const mine = await Promise.all([fetchFolder(manifest, options), fetchFolder(manifest, options)]);
    const ended = await Promise.all(others.map(({ ended }) => ended));
    expect(ended.map(({ code, stdout, stderr }) => ({ code, stdout, stderr }))).toEqual(
      others.map(() => ({ code: 0, stdout: 'equal\n', stderr: '' })),
    );
    for (const each of mine) expectEqualFiles(each, folder, manifest);
    const asked = requests.map(({ url, headers }) => `${url} ${headers.range}`);
    expect(new Set(asked).size).toBe(asked.length);
    expect(leftIn(cache)).toEqual([]);
  });

  it('takes over from a process that was killed while it fetched', async () => {
    const folder = modelFolder();
    const { server, manifests } = await serveFolders(folder);
    const { cache, options } = worker(server);
    const target = join(cache, 'policy', manifests[0].hash);
    mkdirSync(join(cache, 'policy'));
    writeFileSync(claimOf(target), '');
    const fetching = fetchFolder(manifests[0], options);
    await sleep(500);
    letTimePass(10_000);
    expectEqualFiles(await fetching, folder, manifests[0]);
    expect(leftIn(cache)).toEqual([]);
  });

  it('waits for a process that goes on, by whatever clock', async () => {
    const file = join(temporaryFolder(), 'claim');
    let beat = Date.now() / 1000 - 3600;
    const touch = () => {
      writeFileSync(file, '');
      utimesSync(file, beat, beat);
    };
    touch();
    let isDone = false;
    const waiting = claim(file, () => Promise.resolve(isDone));
    let hasClaim = false;
    void waiting.then((release) => (hasClaim = release !== undefined));
    // Its clock is set back, too.
    for (const [i, seconds] of [1, -60, 1, -60].entries()) {
      await sleep(500);
      beat += seconds;
      touch();
      await sleep(500);
      letTimePass(6000 * (i + 1));
    }
    expect(hasClaim).toBe(false);
    isDone = true;
    expect(await waiting).toBeUndefined();
  });

  it('keeps the two that were used last, and fetches no file that one of them has', async () => {
    const folders = [modelFolder(), modelFolder(), modelFolder(), modelFolder()];
    const { server, manifests } = await serveFolders(...folders);
    const { cache, options, notices } = worker(server);
    const hashes = (...indices: number[]) => indices.map((i) => manifests[i].hash).sort();
    for (const [i, kept] of [
      [0, hashes(0)],
      [1, hashes(0, 1)],
      [0, hashes(0, 1)],
      [2, hashes(0, 2)],
      [3, hashes(2, 3)],
    ] as const) {
      // Times of use are compared, and a file system may count in steps of some milliseconds.
      await new Promise((resolve) => setTimeout(resolve, 20));
      expectEqualFiles(await fetchFolder(manifests[i], options), folders[i], manifests[i]);
      expect(hashesIn(cache)).toEqual(kept);
    }
    const [all, ...weightsAlone] = [WEIGHTS_BYTES + 1002, WEIGHTS_BYTES, WEIGHTS_BYTES, WEIGHTS_BYTES];
    expect(notices).toEqual(
      [all, ...weightsAlone].map((bytes) => `Downloading the policy (${bytes} bytes) from ${server.address}`),
    );
  });

  it('leaves the folder that another process uses until that ends', async () => {
    const folders = [modelFolder(), modelFolder(), modelFolder(), modelFolder()];
    const { server, manifests } = await serveFolders(...folders);
    const { cache, options } = worker(server, { keep: 1 });
    const other = runScript(`
      const { fetchFolder } = await library('farm/files/fetch.js');
      await fetchFolder(${JSON.stringify(manifests[0])}, ${JSON.stringify({ server, cache, kind: 'policy' })});
      console.log('fetched');
      setInterval(() => undefined, 1000);`);
    await new Promise<void>((resolve) => other.child.stdout.once('data', () => resolve()));
    for (const i of [1, 2]) {
      await fetchFolder(manifests[i], options);
      expect(hashesIn(cache)).toEqual([manifests[0].hash, manifests[i].hash].sort());
    }
    other.child.kill('SIGKILL');
    await other.ended;
    await fetchFolder(manifests[3], options);
    expect(hashesIn(cache)).toEqual([manifests[3].hash]);
  });

  it('removes what came in for a folder that nobody put together, in an hour', async () => {
    const { server, manifests } = await serveFolders(modelFolder(), modelFolder());
    const { cache, options } = worker(server);
    const incoming = ['a', 'b'].map((digit) => incomingOf(join(cache, 'policy', digit.repeat(64))));
    for (const folder of incoming) {
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, '.x.part'), 'x');
    }
    for (const path of [incoming[0], join(incoming[0], '.x.part')]) utimesSync(path, 1, 1);
    // Something comes in there still.
    utimesSync(join(incoming[1], '.x.part'), 1, 1);
    await fetchFolder(manifests[0], options);
    expect(incoming.map((folder) => existsSync(folder))).toEqual([false, true]);
  });

  it('fetches a folder anew that was damaged in the cache', async () => {
    const folder = modelFolder();
    const { server, manifests } = await serveFolders(folder);
    const { options, notices } = worker(server);
    const fetched = await fetchFolder(manifests[0], options);
    writeFileSync(join(fetched, 'model.safetensors'), 'x');
    expect(await fetchFolder(manifests[0], options)).toBe(fetched);
    expectEqualFiles(fetched, folder, manifests[0]);
    expect(notices).toContain(`${fetched} was damaged, and is fetched anew.`);
  });

  it('says that the disk is full, and fetches once there is room', async () => {
    const folder = modelFolder();
    const { server, manifests } = await serveFolders(folder);
    const { options, cache } = worker(server);
    // Each step on the disk is the last that works, until all do.
    let failures = 0;
    for (let at = 1; ; at++) {
      breakDisk('full', at);
      const fetching = fetchFolder(manifests[0], options);
      const isDone = await fetching.then(
        () => true,
        () => false,
      );
      if (isDone) break;
      failures += 1;
      const { problem, message, code } = await failureOf(fetching);
      expect(problem).toBe('disk');
      expect(code).toBe('ENOSPC');
      expect(message).toMatch(
        /^cannot write to .*: the disk is full; the files that are missing take \d+ bytes: make room there, or name another folder with XDG_CACHE_HOME\.$/,
      );
      expect(message).toContain(join(cache, 'policy'));
    }
    expect(failures).toBeGreaterThan(5);
    breakDisk('none');
    expectEqualFiles(await fetchFolder(manifests[0], options), folder, manifests[0]);
  });

  it('tells a cache that cannot be written to from a full disk', async () => {
    const { server, manifests } = await serveFolders(modelFolder());
    const file = join(temporaryFolder(), 'file');
    writeFileSync(file, '');
    const { options } = worker(server, { cache: join(file, 'workers') });
    expect(await failureOf(fetchFolder(manifests[0], options))).toMatchObject({
      problem: 'forbidden',
      message: `cannot write to ${join(file, 'workers', 'policy')}: a part of the path is a file; name another folder with XDG_CACHE_HOME.`,
    });
  });

  it('says that the disk has no room before it downloads', async () => {
    const { here } = await describeElsewhere(modelFolder());
    const { url, requests } = await startServer((_, response) => response.writeHead(500).end());
    const files = here.files.map((file) => ({ ...file, bytes: 2 ** 50 }));
    const { options } = worker({ address: url, token: 'secret' });
    const { problem, code, message } = await failureOf(
      fetchFolder({ path: '/nowhere', hash: hashOfFiles(files), files }, options),
    );
    expect([problem, code]).toEqual(['disk', 'ENOSPC']);
    expect(message).toMatch(
      /^the disk is nearly full: saving to .* takes 3377699738 MB, \d+ MB are free; make room there, or name another folder with XDG_CACHE_HOME\.$/,
    );
    expect(requests).toEqual([]);
  });

  it('stops when asked to, and goes on later', async () => {
    const folder = modelFolder();
    const controller = new AbortController();
    const { here, elsewhere } = await describeElsewhere(folder);
    let isSlow = true;
    const { url } = await startServer((request, response) => {
      const { name } = here.files.find(({ sha256 }) => request.url === `/files/${sha256}`)!;
      const content = readFileSync(join(folder, name));
      if (!isSlow || name !== 'model.safetensors') return sendFile(request, response, content);
      response.writeHead(200, { 'Content-Length': content.length }).write(content.subarray(0, 1000));
      setTimeout(() => controller.abort(new Error('stopped')), 50);
    });
    const { options, cache } = worker({ address: url, token: 'secret' });
    await expect(fetchFolder(elsewhere, { ...options, signal: controller.signal })).rejects.toThrow(
      'stopped',
    );
    isSlow = false;
    const fetched = await fetchFolder(elsewhere, options);
    expectEqualFiles(fetched, folder, elsewhere);
    expect(leftIn(cache)).toEqual([]);
    expect(statSync(fetched).isDirectory()).toBe(true);
  });
});
