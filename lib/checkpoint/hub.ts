/** Models and datasets by name from a Hugging Face hub, in the cache that Python's huggingface_hub keeps. */
import { readdir, readFile } from 'node:fs/promises';
import { dirname, isAbsolute, join, sep } from 'node:path';
import { z } from 'zod';
import { writeFileAtomic } from './atomic.js';
import { requireSpace } from './disk-space.js';
import { downloadFile, isOffline } from './download.js';
import { hubCache, hubEndpoint } from './environment.js';
import { exists, linkOrCopy, makeFolder } from './files.js';
import { formatBytes } from './folder-size.js';
import { sumOf } from '../mean.js';
import { createPace } from './pace.js';
import { fetchFromWeb, textOf, Unreachable, unreachable } from './web.js';
import { explainCacheError, otherFolderBy } from './write-error.js';
import type { OnNotice } from '../notice.js';

type RepoType = 'model' | 'dataset';

/** A repository on the hub and one of its versions. */
interface HubReference {
  type: RepoType;
  /** "organisation/name" */
  name: string;
  /** Branch, tag or commit. */
  revision: string;
}

interface HubFile {
  path: string;
  /** Name in the cache's blobs/: SHA-256 of a large file, Git's hash of another. */
  etag: string;
  sha256: string | undefined;
  bytes: number;
}

export interface ResolveOptions {
  type: RepoType;
  /** Which of a repository's files are needed, from the paths of all; none means that it is not what was asked for. */
  choose: (paths: readonly string[]) => string[];
  signal?: AbortSignal;
  /** Is told of each download, and where the cache stands in for a hub that cannot be asked. */
  onNotice?: OnNotice;
}

/** What is read of a hub's answers. */
const infoSchema = z.looseObject({ sha: z.string().regex(/^[0-9a-f]{40}$/) });
const listingSchema = z.array(
  z.looseObject({
    type: z.string(),
    path: z.string(),
    size: z.number().int().min(0),
    oid: z.string().optional(),
    lfs: z.looseObject({ oid: z.string() }).nullish(),
  }),
);

const ETAG = /^([0-9a-f]{40}|[0-9a-f]{64})$/;

/**
 * Finds a path on this machine for `source`: `source` itself where it exists, else a folder with the files of the hub's repository
 * `organisation/name` or `organisation/name@revision`, downloaded where the cache lacks them. Downloads go on where they broke and are
 * checked by their hash; `onNotice` is told of them. Where the hub does not answer, or does not answer as a hub does, the cache's files are
 * used, and `onNotice` is told of that too.
 *
 * @throws Error in one sentence: no such folder or repository, no permission, a wrong hash, or nothing in the cache while the hub cannot
 * be asked
 */
export async function resolveSource(source: string, options: ResolveOptions): Promise<string> {
  if (await exists(source)) return source;
  const reference = parseReference(source, options.type);
  if (!reference) {
    // What a run was given is recorded as an absolute path, and a run that goes on or is evaluated is given no other.
    const right = isAbsolute(source)
      ? 'put it there, or give another file or folder'
      : 'give a file or folder, or a name on the hub as organisation/name or organisation/name@revision';
    throw new Error(`${source} does not exist; ${right}.`);
  }
  const { getRepoFolderName } = await loadHub();
  const cache = join(hubCache(), getRepoFolderName(reference));
  try {
    if (isOffline()) throw new Unreachable('HF_HUB_OFFLINE is set');
    return await download(reference, cache, options);
  } catch (error) {
    if (!(error instanceof Unreachable)) throw error;
    const snapshot = await findSnapshot(reference, cache, options);
    if (snapshot && !isOffline()) options.onNotice?.(`${error.message}: ${source} is read from ${snapshot}`);
    if (snapshot) return snapshot;
    throw new Error(
      `${source} does not exist here, the cache (${cache}) has no such ${options.type}, and it was not downloaded: ${error.message}.`,
      { cause: error },
    );
  }
}

/** Most commands ask no hub, and need not wait until this is loaded. */
const loadHub = () => import('@huggingface/hub');

function parseReference(source: string, type: RepoType): HubReference | undefined {
  const match = /^([\w-][\w.-]*\/[\w-][\w.-]*)(?:@([\w-][\w./-]*))?$/.exec(source);
  if (!match || source.includes('..')) return undefined;
  return { type, name: match[1], revision: match[2] ?? 'main' };
}

/** The folder of the reference's commit in the cache, if it has what is needed. */
async function findSnapshot(
  { revision }: HubReference,
  cache: string,
  { choose }: ResolveOptions,
): Promise<string | undefined> {
  const known = await readFile(join(cache, 'refs', revision), 'utf8').catch(() => revision);
  const snapshot = join(cache, 'snapshots', known.trim());
  const entries = await readdir(snapshot, { recursive: true }).catch(() => []);
  return choose(entries.map((entry) => entry.split(sep).join('/'))).length > 0 ? snapshot : undefined;
}

async function download(reference: HubReference, cache: string, options: ResolveOptions): Promise<string> {
  const endpoint = endpointToAsk();
  const { commit, files } = await listRepository(reference, endpoint, options.signal);
  const chosen = new Set(options.choose(files.map(({ path }) => path)));
  if (chosen.size === 0) {
    throw new Error(
      `${describe(reference, endpoint)} has none of the files of a speech-dpo ${reference.type}.`,
    );
  }
  const wanted = files.filter(({ path }) => chosen.has(path));
  const isHere = await Promise.all(wanted.map((file) => exists(blobIn(cache, file))));
  const missing = wanted.filter((_, i) => !isHere[i]);
  await requireSpace(cache, sumOf(missing.map(({ bytes }) => bytes)), otherFolderBy('HF_HUB_CACHE'));
  const urlOf = ({ path }: HubFile) =>
    `${repositoryUrl(reference, endpoint)}/resolve/${commit}/${encodePath(path)}`;
  const snapshot = join(cache, 'snapshots', commit);
  try {
    for (const file of wanted) {
      const blob = blobIn(cache, file);
      if (!(await exists(blob))) {
        options.onNotice?.(`Downloading ${urlOf(file)} (${formatBytes(file.bytes)})`);
        await downloadBlob(urlOf(file), blob, file, options.signal);
      }
      const link = join(snapshot, file.path);
      await makeFolder(dirname(link));
      await linkOrCopy(blob, link);
    }
    await writeFileAtomic(join(cache, 'refs', reference.revision), commit);
  } catch (error) {
    throw explainCacheError(explainStatus(error, reference, endpoint), cache, 'HF_HUB_CACHE');
  }
  return snapshot;
}

const blobIn = (cache: string, { etag }: HubFile): string => join(cache, 'blobs', etag);

function endpointToAsk(): string {
  try {
    return hubEndpoint();
  } catch (error) {
    throw new Unreachable((error as Error).message, { cause: error });
  }
}

async function listRepository(
  reference: HubReference,
  endpoint: string,
  signal: AbortSignal | undefined,
): Promise<{ commit: string; files: HubFile[] }> {
  const { datasetInfo, listFiles, modelInfo } = await loadHub();
  const { type, name, revision } = reference;
  const asked = { hubUrl: endpoint, ...(process.env.HF_TOKEN && { accessToken: process.env.HF_TOKEN }) };
  const which = { ...asked, name, revision };
  try {
    const askInfo = { ...which, additionalFields: ['sha' as const], fetch: fetchChecked(infoSchema, signal) };
    const { sha: commit } = type === 'model' ? await modelInfo(askInfo) : await datasetInfo(askInfo);
    const files: HubFile[] = [];
    const repo = { type, name };
    const askFiles = {
      ...asked,
      repo,
      revision: commit,
      recursive: true,
      fetch: fetchChecked(listingSchema, signal),
    };
    for await (const entry of listFiles(askFiles)) {
      if (entry.type !== 'file') continue;
      const sha256 = entry.lfs?.oid;
      const file = { path: entry.path, etag: sha256 ?? entry.oid ?? '', sha256, bytes: entry.size };
      if (!isSafe(file))
        throw new Error(`${endpoint} lists for ${name} a file "${entry.path}" that is refused.`);
      files.push(file);
    }
    return { commit, files };
  } catch (error) {
    throw explainStatus(error, reference, endpoint);
  }
}

/** For @huggingface/hub, which takes whatever is answered for what it asked for. */
function fetchChecked(schema: z.ZodType, signal: AbortSignal | undefined): typeof fetch {
  return async (input, init) => {
    const url = String(input);
    const response = await fetchFromWeb(url, { headers: init?.headers, signal });
    const text = await textOf(response, createPace()).catch((error: unknown) => {
      signal?.throwIfAborted();
      throw error instanceof Unreachable ? error : unreachable(error, url);
    });
    const { ok, status, statusText } = response;
    if (status >= 500 || status === 429) throw new Unreachable(`answers ${status} ${statusText}`.trim());
    if (!ok) throw new Error(`the server answers ${status} ${statusText}`.trim());
    const { error } = schema.safeParse(parseJson(text));
    if (error) throw new Unreachable(`does not answer as a hub does: ${JSON.stringify(text.slice(0, 60))}`);
    return new Response(text, { headers: { Link: response.headers.get('link') ?? '' } });
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Both become names in the cache. */
function isSafe({ path, etag }: HubFile): boolean {
  return (
    ETAG.test(etag) && path.split('/').every((part) => !['', '.', '..'].includes(part) && !/[\\:]/.test(part))
  );
}

async function downloadBlob(
  url: string,
  blob: string,
  { etag, sha256, bytes }: HubFile,
  signal?: AbortSignal,
): Promise<void> {
  const headers = process.env.HF_TOKEN ? { Authorization: `Bearer ${process.env.HF_TOKEN}` } : undefined;
  return downloadFile(url, blob, { ...(sha256 ? { sha256 } : { gitHash: etag }), bytes, headers, signal });
}

function explainStatus(error: unknown, reference: HubReference, endpoint: string): unknown {
  if (error instanceof Unreachable) return new Unreachable(`${endpoint} ${error.message}`, { cause: error });
  if (error instanceof TypeError && error.message.includes('access token')) {
    return new Error("HF_TOKEN is no access token of the hub: those start with 'hf_'.", { cause: error });
  }
  if (!(error instanceof Error)) return error;
  const status = statusOf(error);
  const what = describe(reference, endpoint);
  const token = process.env.HF_TOKEN
    ? 'the token in HF_TOKEN has no access'
    : 'set HF_TOKEN to a token with access';
  if (status === 401 || status === 403) {
    const url = repositoryUrl(reference, endpoint);
    return new Error(
      `${what} is not open to you (${status}): it is private, gated or does not exist; ${token}, see ${url}.`,
      { cause: error },
    );
  }
  if (status === 404) {
    return new Error(`${what} does not exist, and neither does a folder of that name here.`, {
      cause: error,
    });
  }
  return Number.isNaN(status) ? error : new Error(`${what}: ${error.message}`, { cause: error });
}

/** From the message of `fetchChecked` or `downloadFile`. */
function statusOf({ message }: Error): number {
  return Number(/the server answers (\d{3})/.exec(message)?.[1]);
}

function describe({ type, name, revision }: HubReference, endpoint: string): string {
  return `the ${type} ${name} at revision ${revision} of ${endpoint}`;
}

function repositoryUrl({ type, name }: HubReference, endpoint: string): string {
  return `${endpoint}/${type === 'dataset' ? 'datasets/' : ''}${name}`;
}

function encodePath(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/');
}
