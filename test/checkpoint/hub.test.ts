import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { resolveSource } from '../../lib/checkpoint/hub.js';
import { sendFile, sha256 } from '../support/file-server.js';
import { COMMIT, startHub, type HubServerOptions } from '../support/hub-server.js';
import { temporaryFolder } from '../support/temporary-folder.js';

const WEIGHTS = Uint8Array.from({ length: 300_000 }, (_, i) => (i * i) >> 5);
const FILES = {
  'config.json': Buffer.from('{"model_type":"bart"}'),
  'model.safetensors': WEIGHTS,
  'unused.h5': Buffer.from('not wanted'),
};
const OPTIONS = {
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
    expect(process.stderr.write).toHaveBeenCalledWith(
      `Downloading ${url}/org/model/resolve/${COMMIT}/model.safetensors\n`,
    );
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
