import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { resolveSource } from '../../lib/checkpoint/hub.js';
import { breakDisk } from '../support/faulty-disk.mjs';
import { sendFile, sha256, startServer, type Answer } from '../support/file-server.js';
import { COMMIT, startHub, type HubServerOptions } from '../support/hub-server.js';
import { runScript } from '../support/library-process.js';
import { temporaryFolder } from '../support/temporary-folder.js';

const WEIGHTS = Uint8Array.from({ length: 300_000 }, (_, i) => (i * i) >> 5);
const FILES = {
  'config.json': Buffer.from('{"model_type":"bart"}'),
  'model.safetensors': WEIGHTS,
  'unused.h5': Buffer.from('not wanted'),
};
const onNotice = vi.fn();
const OPTIONS = {
  onNotice,
  type: 'model' as const,
  choose: (paths: readonly string[]) => paths.filter((path) => /config\.json|safetensors/.test(path)),
};

let home: string;
beforeEach(() => {
  home = temporaryFolder();
  vi.stubEnv('HF_HOME', home);
  vi.stubEnv('HF_HUB_CACHE', undefined);
  vi.stubEnv('HUGGINGFACE_HUB_CACHE', undefined);
  vi.stubEnv('HF_TOKEN', '');
  vi.stubEnv('HF_HUB_OFFLINE', '');
  onNotice.mockClear();
  vi.spyOn(process.stderr, 'write').mockReturnValue(true);
});
afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

async function hub(changes: Partial<HubServerOptions> = {}) {
  const server = await startHub({ files: FILES, ...changes });
  vi.stubEnv('HF_ENDPOINT', server.url);
  return server;
}

const repository = () => join(home, 'hub', 'models--org--model');
const weightsIn = (snapshot: string) => readFileSync(join(snapshot, 'model.safetensors'));
const fetched = (requests: { url?: string }[]) =>
  requests.filter(({ url }) => url!.includes('/resolve/')).length;

it('says how to go on where the disk of the cache is full', async () => {
  await hub();
  // Whatever is being written: what comes, a link or the name of the version.
  let failures = 0;
  for (let at = 1; ; at++) {
    breakDisk('full', at);
    const failure = await resolveSource('org/model', OPTIONS).then(
      () => undefined,
      (error: unknown) => error,
    );
    if (failure === undefined) break;
    failures += 1;
    expect(failure).toMatchObject({
      message: `cannot write to ${repository()}: the disk is full; make room there, or name another folder with HF_HUB_CACHE.`,
      cause: { code: 'ENOSPC' },
    });
  }
  breakDisk('none');
  expect(failures).toBeGreaterThan(5);
});

describe('resolveSource', () => {
  it('leaves what exists alone', async () => {
    expect(await resolveSource(home, OPTIONS)).toBe(home);
  });

  it("downloads what is needed, into the layout of Python's cache", async () => {
    const { url } = await hub();
    const snapshot = await resolveSource('org/model', OPTIONS);
    expect(snapshot).toBe(join(repository(), 'snapshots', COMMIT));
    expect(readdirSync(snapshot).sort()).toEqual(['config.json', 'model.safetensors']);
    expect(weightsIn(snapshot).equals(WEIGHTS)).toBe(true);
    expect(readlinkSync(join(snapshot, 'model.safetensors'))).toBe(`../../blobs/${sha256(WEIGHTS)}`);
    expect(lstatSync(join(snapshot, 'config.json')).isSymbolicLink()).toBe(true);
    expect(readFileSync(join(repository(), 'refs', 'main'), 'utf8')).toBe(COMMIT);
    expect(onNotice).toHaveBeenCalledWith(
      `Downloading ${url}/org/model/resolve/${COMMIT}/model.safetensors (0.3 MB)`,
    );
    expect(process.stderr.write).not.toHaveBeenCalled();
  });

  it('downloads nothing twice, whatever the name of the revision', async () => {
    const { requests } = await hub();
    const first = await resolveSource('org/model', OPTIONS);
    expect(await resolveSource('org/model@v1', OPTIONS)).toBe(first);
    expect(fetched(requests)).toBe(2);
  });

  it('reads datasets of their own folder', async () => {
    await hub({ kind: 'datasets', files: { 'data/train 0.jsonl': Buffer.from('{}\n') } });
    const snapshot = await resolveSource('org/model', { type: 'dataset', choose: (paths) => [...paths] });
    expect(snapshot).toBe(join(home, 'hub', 'datasets--org--model', 'snapshots', COMMIT));
    expect(readFileSync(join(snapshot, 'data', 'train 0.jsonl'), 'utf8')).toBe('{}\n');
  });

  it('goes on where a connection was cut, also in a later call', async () => {
    let mended = false;
    const { requests } = await hub({
      files: { 'model.safetensors': WEIGHTS },
      send: (request, response, count) =>
        sendFile(request, response, WEIGHTS, mended ? undefined : count === 2 ? 120_000 : 0),
    });
    await expect(resolveSource('org/model', OPTIONS)).rejects.toThrow('the connection broke');
    mended = true;
    const snapshot = await resolveSource('org/model', OPTIONS);
    expect(weightsIn(snapshot).equals(WEIGHTS)).toBe(true);
    expect(requests.at(-1)!.headers.range).toMatch(/^bytes=[1-9]\d*-$/);
  });

  it.each([
    ['model.safetensors', WEIGHTS, 'f'.repeat(64), `the SHA-256 of what came is ${sha256(WEIGHTS)}`],
    ['config.json', FILES['config.json'], 'f'.repeat(40), 'its Git hash is'],
  ])('refuses a %s with a wrong hash', async (name, content, etag, message) => {
    await hub({ files: { [name]: content }, etag });
    await expect(resolveSource('org/model', OPTIONS)).rejects.toThrow(`refused: ${message}`);
    expect(readdirSync(join(repository(), 'blobs'))).toEqual([]);
    expect(existsSync(join(repository(), 'snapshots'))).toBe(false);
  });

  it('sends the token, and says when one is missing or wrong', async () => {
    await hub({ token: 'hf_right' });
    await expect(resolveSource('org/model', OPTIONS)).rejects.toThrow(
      /the model org\/model at revision main .* is not open to you \(401\): .*; set HF_TOKEN to a token with access/,
    );
    vi.stubEnv('HF_TOKEN', 'hf_wrong');
    await expect(resolveSource('org/model', OPTIONS)).rejects.toThrow('the token in HF_TOKEN has no access');
    vi.stubEnv('HF_TOKEN', 'secret');
    await expect(resolveSource('org/model', OPTIONS)).rejects.toThrow(
      'HF_TOKEN is no access token of the hub',
    );
    vi.stubEnv('HF_TOKEN', 'hf_right');
    expect(weightsIn(await resolveSource('org/model', OPTIONS)).equals(WEIGHTS)).toBe(true);
  });

  it.each(['org/other', 'org/model@v2'])('says that %s does not exist', async (source) => {
    const { url } = await hub();
    const [name, revision = 'main'] = source.split('@');
    await expect(resolveSource(source, OPTIONS)).rejects.toThrow(
      `the model ${name} at revision ${revision} of ${url} does not exist, and neither does a folder of that name here.`,
    );
  });

  it('says when a repository is of another kind', async () => {
    await hub({ files: { 'README.md': Buffer.from('') } });
    await expect(resolveSource('org/model', OPTIONS)).rejects.toThrow(
      'has none of the files of a speech-dpo model',
    );
  });

  it('uses the cache where HF_HUB_OFFLINE is set or the hub cannot be reached, and asks for nothing', async () => {
    const { requests } = await hub();
    const online = await resolveSource('org/model', OPTIONS);
    const before = requests.length;
    vi.stubEnv('HF_HUB_OFFLINE', '1');
    expect(await resolveSource('org/model', OPTIONS)).toBe(online);
    expect(await resolveSource(`org/model@${COMMIT}`, OPTIONS)).toBe(online);
    expect(requests).toHaveLength(before);
    await expect(resolveSource('org/model@v1', OPTIONS)).rejects.toThrow(
      `org/model@v1 does not exist here, the cache (${repository()}) has no such model, and it was not downloaded: HF_HUB_OFFLINE is set.`,
    );
    vi.stubEnv('HF_HUB_OFFLINE', '');
    vi.stubEnv('HF_ENDPOINT', 'http://127.0.0.1:9');
    expect(await resolveSource('org/model', OPTIONS)).toBe(online);
    rmSync(join(repository(), 'refs'), { recursive: true });
    await expect(resolveSource('org/model', OPTIONS)).rejects.toThrow('http://127.0.0.1:9 cannot be reached');
  });

  describe('where what answers is no hub', () => {
    const html = (response: ServerResponse) =>
      response.setHeader('Content-Type', 'text/html').end('<!doctype html><html>Please sign in</html>');
    const json = (content: unknown) => (response: ServerResponse) =>
      response.setHeader('Content-Type', 'application/json').end(JSON.stringify(content));
    const status = (code: number) => (response: ServerResponse) =>
      response
        .writeHead(code, { 'Content-Type': 'application/json', Location: '/again' })
        .end('<html>maintenance</html>');
    const info = json({ id: 'org/model', sha: COMMIT });
    const NO_HUB = 'does not answer as a hub does';

    const answers: [
      string,
      string,
      (response: ServerResponse) => unknown,
      ((response: ServerResponse) => unknown)?,
    ][] = [
      ['a web page', 'answers with a web page (a network may want you to sign in)', html],
      ['a web page that does not say so', `${NO_HUB}: "<html>`, (response) => response.end('<html>')],
      ['an empty object', `${NO_HUB}: "{}"`, json({})],
      ['null', `${NO_HUB}: "null"`, json(null)],
      ['a list', NO_HUB, json([])],
      ['no commit', NO_HUB, json({ id: 'org/model' })],
      ['a commit that is none', NO_HUB, json({ sha: 'main' })],
      ['nothing', NO_HUB, (response) => response.end()],
      ['a listing that is a web page', 'answers with a web page', info, html],
      ['a listing that is an object', NO_HUB, info, json({ error: 'x' })],
      ['a listing of null', NO_HUB, info, json([null])],
      ['a listing of files without a path', NO_HUB, info, json([{ type: 'file', oid: 'x' }])],
      ['too much', 'answers with more than 64 MiB', (response) => response.end(Buffer.alloc(2 ** 27, ' '))],
      ['500', 'answers 500 Internal Server Error', status(500)],
      ['503 with a web page as JSON', 'answers 503 Service Unavailable', status(503)],
      ['429', 'answers 429 Too Many Requests', status(429)],
      ['an endless redirection', 'cannot be reached (redirect count exceeded)', status(302)],
      ['a connection that breaks', 'cannot be reached (', (response) => response.destroy()],
      [
        'half an answer',
        'cannot be reached (',
        (response) => {
          response.writeHead(200, { 'Content-Length': 100 }).write('{', () => response.destroy());
        },
      ],
      [
        'nothing at all',
        'cannot be reached (nothing came for longer than HF_HUB_DOWNLOAD_TIMEOUT',
        () => undefined,
      ],
    ];
    it.each(answers)(
      '%s: one sentence, and the cache where it has the model',
      async (_, message, ofInfo, ofListing) => {
        await hub();
        const online = await resolveSource('org/model', OPTIONS);
        const { url } = await startServer(
          ({ url }, response) => void (url!.includes('/tree/') ? ofListing! : ofInfo)(response),
        );
        vi.stubEnv('HF_ENDPOINT', url);
        vi.stubEnv('HF_HUB_DOWNLOAD_TIMEOUT', '0.3');
        expect(await resolveSource('org/model', OPTIONS)).toBe(online);
        expect(onNotice).toHaveBeenLastCalledWith(
          expect.stringMatching(/^http:.*: org\/model is read from .*$/),
        );
        rmSync(repository(), { recursive: true });
        await expect(resolveSource('org/model', OPTIONS)).rejects.toSatisfy((error: Error) => {
          expect(error.constructor).toBe(Error);
          expect(error.message).toContain(`and it was not downloaded: ${url} ${message}`);
          return !error.message.includes('\n');
        });
      },
    );

    it.each([401, 404, 400])('a status of %i whose body is no JSON', async (code) => {
      const { url } = await startServer((_, response) => void status(code)(response));
      vi.stubEnv('HF_ENDPOINT', url);
      await expect(resolveSource('org/model', OPTIONS)).rejects.toThrow(
        /^the model org\/model at revision main of .*/,
      );
    });
  });

  it.each([
    ['hub.example', 'for example https://hub.example.'],
    ['127.0.0.1:9101', 'for example https://127.0.0.1.'],
    ['http://host:99999', 'for example https://host.'],
    ['http://', 'for example https://huggingface.co.'],
    ['ftp://hub.example/x', 'for example https://hub.example.'],
    ['http://a b', 'for example https://a.'],
    ['https://me:secret@hub.example', 'a user and a password in an address cannot be used: leave them out'],
  ])(
    'says what is wrong with the address %s, and uses the cache where it has the model',
    async (address, remedy) => {
      await hub();
      const online = await resolveSource('org/model', OPTIONS);
      vi.stubEnv('HF_ENDPOINT', address);
      expect(await resolveSource('org/model', OPTIONS)).toBe(online);
      await expect(resolveSource('org/other', OPTIONS)).rejects.toSatisfy((error: Error) => {
        expect(error.constructor).toBe(Error);
        expect(error.message).toContain('HF_ENDPOINT is "');
        expect(error.message).toContain(remedy);
        return !error.message.includes('secret');
      });
    },
  );

  it('stops when asked to, also while it waits for the hub', async () => {
    const { url } = await startServer(() => undefined);
    vi.stubEnv('HF_ENDPOINT', url);
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 100);
    await expect(resolveSource('org/model', { ...OPTIONS, signal: controller.signal })).rejects.toThrow(
      /abort/,
    );
  });

  it('gives several processes the model at the same time', async () => {
    const slowly =
      (content: Uint8Array): Answer =>
      (_, response) => {
        response.writeHead(200, { 'Content-Length': content.length }).write(content.subarray(0, 5));
        setTimeout(() => response.end(content.subarray(5)), 300);
      };
    const { url } = await hub({
      send: (request, response, count) =>
        slowly(request.url!.endsWith('config.json') ? FILES['config.json'] : WEIGHTS)(
          request,
          response,
          count,
        ),
    });
    const script = `
      const { resolveSource } = await library('checkpoint/hub.js');
      console.log(await resolveSource('org/model', { type: 'model', choose: (paths) => paths.filter((path) => !path.endsWith('h5')) }));`;
    const environment = { HF_HUB_OFFLINE: '', HF_HOME: home, HF_ENDPOINT: url };
    const ended = await Promise.all(Array.from({ length: 3 }, () => runScript(script, environment).ended));
    const snapshot = join(repository(), 'snapshots', COMMIT);
    for (const { code, stdout, stderr } of ended) {
      expect(code, stderr).toBe(0);
      expect(stdout).toBe(`${snapshot}\n`);
    }
    expect(weightsIn(snapshot).equals(WEIGHTS)).toBe(true);
    expect(readdirSync(join(repository(), 'blobs'))).toHaveLength(2);
    expect(readdirSync(snapshot).sort()).toEqual(['config.json', 'model.safetensors']);
  });

  it('makes a link anew that points nowhere', async () => {
    await hub();
    const snapshot = join(repository(), 'snapshots', COMMIT);
    mkdirSync(snapshot, { recursive: true });
    symlinkSync('../../blobs/gone', join(snapshot, 'model.safetensors'));
    expect(weightsIn(await resolveSource('org/model', OPTIONS)).equals(WEIGHTS)).toBe(true);
  });

  it('finds what Python downloaded', async () => {
    vi.stubEnv('HF_HUB_OFFLINE', '1');
    const snapshot = join(repository(), 'snapshots', COMMIT);
    mkdirSync(snapshot, { recursive: true });
    mkdirSync(join(repository(), 'refs'));
    writeFileSync(join(repository(), 'refs', 'main'), COMMIT);
    writeFileSync(join(snapshot, 'config.json'), '{}');
    expect(await resolveSource('org/model', OPTIONS)).toBe(snapshot);
  });

  it.each([
    '../../evil.safetensors',
    '/etc/model.safetensors',
    'a/../../model.safetensors',
    'C:\\model.safetensors',
  ])('refuses a file that would lie outside of the cache: %s', async (path) => {
    await hub({ files: { [path]: WEIGHTS } });
    await expect(resolveSource('org/model', OPTIONS)).rejects.toThrow('that is refused');
  });

  it('says before the first download what the disk has no room for', async () => {
    const { requests } = await hub({ bytes: 1e15 });
    await expect(resolveSource('org/model', OPTIONS)).rejects.toThrow(
      new RegExp(
        `^the disk is nearly full: saving to ${repository()} takes 2000000017 MB, \\d+ MB are free; make room there, or name another folder with HF_HUB_CACHE\\.$`,
      ),
    );
    expect(fetched(requests)).toBe(0);
  });

  it('reads no more of a file than the hub lists', async () => {
    await hub({ bytes: 10 });
    await expect(resolveSource('org/model', OPTIONS)).rejects.toThrow(
      'refused: more came than the 10 bytes that it has',
    );
  });

  it('gives up a hub that answers a byte at a time', async () => {
    vi.stubEnv('HF_HUB_DOWNLOAD_TIMEOUT', '0.2');
    const { url } = await startServer((_, response) => {
      const timer = setInterval(() => response.write(' '), 20);
      response.on('close', () => clearInterval(timer));
    });
    vi.stubEnv('HF_ENDPOINT', url);
    await expect(resolveSource('org/model', OPTIONS)).rejects.toThrow(`${url} sends too slowly: `);
  });

  it('refuses a hash that is no hash', async () => {
    await hub({ etag: '../../../evil' });
    await expect(resolveSource('org/model', OPTIONS)).rejects.toThrow('that is refused');
  });

  it('explains, whatever is asked for', async () => {
    vi.stubEnv('HF_HUB_OFFLINE', '1');
    await fc.assert(
      fc.asyncProperty(fc.string(), async (text) => {
        await expect(resolveSource(`no/${text}`, OPTIONS)).rejects.toThrow('does not exist');
      }),
    );
  });
});
