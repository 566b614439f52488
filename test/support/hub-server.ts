import { createHash } from 'node:crypto';
import { sendFile, sha256, startServer, type Answer } from './file-server.js';

export const COMMIT = '0123456789abcdef0123456789abcdef01234567';

export interface HubServerOptions {
  /** Files by path; those of more than 1,000 bytes are stored as large files are, by SHA-256. */
  files: Record<string, Uint8Array>;
  /** "models" (default) or "datasets". */
  kind?: 'models' | 'datasets';
  name?: string;
  /** The token that opens the repository; without one it is open to all. */
  token?: string;
  /** Sends a file in another way than whole. */
  send?: Answer;
  /** Listed instead of the right size. */
  bytes?: number;
  /** Listed instead of the right hash. */
  etag?: string;
}

/** A hub with one repository, whose branch "main" and tag "v1" are at COMMIT. */
export function startHub(options: HubServerOptions) {
  const { files, kind = 'models', name = 'org/model', token } = options;
  const api = `/api/${kind}/${name}`;
  const resolve = `${kind === 'datasets' ? '/datasets' : ''}/${name}/resolve/${COMMIT}/`;
  return startServer((request, response, count) => {
    const { pathname } = new URL(request.url!, 'http://hub');
    const json = (content: unknown) =>
      response.setHeader('Content-Type', 'application/json').end(JSON.stringify(content));
    const refuse = (status: number) => {
      response.statusCode = status;
      json({ error: `status ${status}` });
    };
    if (token && request.headers.authorization !== `Bearer ${token}`) return refuse(401);
    if (pathname === `${api}/revision/main` || pathname === `${api}/revision/v1`)
      return json({ id: name, sha: COMMIT });
    if (pathname === `${api}/tree/${COMMIT}`) {
      return json(Object.entries(files).map(([path, content]) => listing(path, content, options)));
    }
    const content = pathname.startsWith(resolve)
      ? files[decodeURIComponent(pathname.slice(resolve.length))]
      : undefined;
    if (!content) return refuse(404);
    return (options.send ?? ((a, b) => sendFile(a, b, content)))(request, response, count);
  });
}

function listing(path: string, content: Uint8Array, { etag, bytes }: HubServerOptions) {
  const oid = etag ?? createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex');
  const lfs = { oid: etag ?? sha256(content), size: content.length, pointerSize: 130 };
  return { type: 'file', path, size: bytes ?? content.length, oid, ...(content.length > 1000 && { lfs }) };
}
