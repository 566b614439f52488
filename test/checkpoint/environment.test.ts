import { execFileSync } from 'node:child_process';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  expandPath,
  hubCache,
  hubEndpoint,
  proxyFor,
  withoutPassword,
} from '../../lib/checkpoint/environment.js';
import { findPython } from '../../lib/scoring/python.js';
import { findWeights } from '../../lib/scoring/weights-path.js';
import { temporaryFolder } from '../support/temporary-folder.js';

const PROXIES = ['HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY', 'NO_PROXY'];

beforeEach(() => {
  for (const name of ['HF_HOME', 'HF_HUB_CACHE', 'HUGGINGFACE_HUB_CACHE', 'XDG_CACHE_HOME', 'HF_ENDPOINT'])
    vi.stubEnv(name, undefined);
  for (const name of PROXIES) {
    vi.stubEnv(name, undefined);
    vi.stubEnv(name.toLowerCase(), undefined);
  }
});
afterEach(() => {
  vi.unstubAllEnvs();
});

describe('paths', () => {
  const PATHS = [
    '~',
    '~/x',
    '~/$NAME',
    '$NAME/x',
    '${NAME}/x',
    'a/${NAME}b',
    '$NAMEx',
    '$nothing/x',
    '${',
    '/a~/~',
    '$',
    'a$$b',
    '$NAME$NAME',
  ];

  it('are expanded as Python does it', () => {
    vi.stubEnv('NAME', 'of home');
    vi.stubEnv('HOME', '/home/somebody');
    const program =
      'import json, os, sys; print(json.dumps([os.path.expandvars(os.path.expanduser(p)) for p in json.loads(sys.argv[1])]))';
    let python: string;
    try {
      python = execFileSync('python3', ['-c', program, JSON.stringify(PATHS)], { encoding: 'utf8' });
    } catch {
      console.warn('Skipped: there is no python3 to compare with.');
      return;
    }
    expect(PATHS.map(expandPath)).toEqual(JSON.parse(python));
  });

  it('of somebody else are refused', () => {
    expect(() => expandPath('~nobody/x')).toThrow('~nobody/x: only ~/ is known');
  });

  it.each([
    [{}, join(homedir(), '.cache/huggingface/hub')],
    [{ XDG_CACHE_HOME: '~/cache' }, join(homedir(), 'cache/huggingface/hub')],
    [{ XDG_CACHE_HOME: '/a', HF_HOME: '~/hf' }, join(homedir(), 'hf/hub')],
    [{ HF_HOME: '/a', HUGGINGFACE_HUB_CACHE: '$HOME/hub' }, join(homedir(), 'hub')],
    [{ HUGGINGFACE_HUB_CACHE: '/a', HF_HUB_CACHE: '${HOME}/hub' }, join(homedir(), 'hub')],
    [{ HF_HOME: '', HF_HUB_CACHE: '' }, join(homedir(), '.cache/huggingface/hub')],
  ])("of the hub's cache with %j", (variables, path) => {
    vi.stubEnv('HOME', homedir());
    for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value);
    expect(hubCache()).toBe(path);
  });

  it('of weights and of Python', async () => {
    const home = temporaryFolder();
    vi.stubEnv('HOME', home);
    vi.stubEnv('NISQA_WEIGHTS', '~/nisqa.tar');
    vi.stubEnv('SPEECH_DPO_PYTHON', '~/venv/bin/python');
    const place = {
      metric: 'NISQA',
      kind: 'folder' as const,
      variable: 'NISQA_WEIGHTS',
      cached: 'x',
      source: 'x',
      licence: 'x',
      download: async () => {},
    };
    await expect(findWeights(place)).rejects.toThrow(
      `NISQA_WEIGHTS is ${home}/nisqa.tar, which cannot be read`,
    );
    expect(findPython()).toBe(`${home}/venv/bin/python`);
    vi.stubEnv('NISQA_WEIGHTS', '$HOME');
    expect(await findWeights(place)).toBe(home);
  });
});

describe('the address of the hub', () => {
  it.each([
    [undefined, 'https://huggingface.co'],
    ['', 'https://huggingface.co'],
    [' https://hub.example/hf// ', 'https://hub.example/hf'],
    ['HTTP://127.0.0.1:9', 'HTTP://127.0.0.1:9'],
    ['http://[::1]:80', 'http://[::1]:80'],
  ])('%j is %s', (given, address) => {
    vi.stubEnv('HF_ENDPOINT', given);
    expect(hubEndpoint()).toBe(address);
  });
});

describe('proxies', () => {
  it.each<[Record<string, string>, string, string | undefined]>([
    [{}, 'http://hub', undefined],
    [{ HTTP_PROXY: 'http://p:1' }, 'http://hub', 'http://p:1'],
    [{ HTTP_PROXY: 'http://p:1' }, 'https://hub', undefined],
    [{ HTTPS_PROXY: 'http://p:1' }, 'https://hub', 'http://p:1'],
    [{ ALL_PROXY: 'http://p:1' }, 'https://hub', 'http://p:1'],
    [{ ALL_PROXY: 'http://p:1', HTTP_PROXY: 'http://p:2' }, 'http://hub', 'http://p:2'],
    [{ HTTP_PROXY: 'http://p:1', http_proxy: 'http://p:2' }, 'http://hub', 'http://p:2'],
    [{ http_proxy: 'p:1' }, 'http://hub', 'http://p:1'],
    [{ http_proxy: '' }, 'http://hub', undefined],
    [{ all_proxy: 'http://p:1', NO_PROXY: '*' }, 'http://hub', undefined],
    [{ all_proxy: 'http://p:1', no_proxy: 'other, hub' }, 'http://hub', undefined],
    [{ all_proxy: 'http://p:1', no_proxy: 'hub' }, 'http://a.hub', undefined],
    [{ all_proxy: 'http://p:1', no_proxy: '.hub' }, 'http://a.hub', undefined],
    [{ all_proxy: 'http://p:1', no_proxy: '*.HUB' }, 'http://a.hub', undefined],
    [{ all_proxy: 'http://p:1', no_proxy: 'hub' }, 'http://thub', 'http://p:1'],
    [{ all_proxy: 'http://p:1', no_proxy: 'hub:443' }, 'https://hub', undefined],
    [{ all_proxy: 'http://p:1', no_proxy: 'hub:80' }, 'https://hub', 'http://p:1'],
    [{ all_proxy: 'http://p:1', no_proxy: '' }, 'http://hub', 'http://p:1'],
  ])('%j: %s through %s', (variables, origin, url) => {
    for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value);
    expect(proxyFor(origin)?.url).toBe(url);
  });

  it('of another kind are refused in a sentence, without the password', () => {
    vi.stubEnv('ALL_PROXY', 'socks5://me:secret@p:1');
    expect(() => proxyFor('http://hub')).toThrow(
      'ALL_PROXY is "socks5://…@p:1"; a proxy is http://host:port',
    );
  });
});

it.each([
  ['redis://:secret@host:6379/2', 'redis://…@host:6379/2'],
  ['postgres://me:se@cret@host/db', 'postgres://…@host/db'],
  // Read as the host "me" with the port 12.
  ['redis://me:12/secret@host:6379', 'redis://…@host:6379'],
  ['postgres://host/db?user=me&password=secret#x', 'postgres://host/db?user=me&password=…#x'],
  ['redis://host?sentinelPassword=secret&db=1', 'redis://host?sentinelPassword=…&db=1'],
  ['redis://host:6379', 'redis://host:6379'],
])('an address is shown without its password: %s', (address, shown) => {
  expect(withoutPassword(address)).toBe(shown);
});
