import { readFileSync, writeFileSync } from 'node:fs';
import fs from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { explainDisk, fetchProblemOf } from '../../../lib/farm/files/failure.js';
import { describeRecording, fetchRecording, offerRecording } from '../../../lib/farm/files/recordings.js';
import { serveFiles } from '../../../lib/farm/files/server.js';
import { temporaryFolder } from '../../support/temporary-folder.js';

afterEach(() => {
  vi.restoreAllMocks();
  syncBuiltinESMExports();
});

/** A recording that a server offers, and the same file where a worker sees it. */
async function serveRecording() {
  const [served, seen] = ['served.wav', 'seen.wav'].map((name) => join(temporaryFolder(), name));
  for (const path of [served, seen]) writeFileSync(path, 'sound');
  const recording = await describeRecording(served);
  const server = await serveFiles();
  onTestFinished(() => server.close());
  offerRecording(server, recording);
  return { server, recording: { ...recording, path: seen } };
}

/** As for a user who may see a file and not read it. */
function forbidReading(path: string): void {
  const open = fs.open;
  vi.spyOn(fs, 'open').mockImplementation((file, ...rest) =>
    file === path
      ? Promise.reject(Object.assign(new Error('EACCES: permission denied'), { code: 'EACCES' }))
      : open(file, ...rest),
  );
  syncBuiltinESMExports();
}

describe('fetchRecording', () => {
  it('takes the file that lies at the same path', async () => {
    const { server, recording } = await serveRecording();
    expect(await fetchRecording(recording, { server, folder: '/nowhere' })).toBe(recording.path);
  });

  it('fetches one that lies there and may not be read', async () => {
    const { server, recording } = await serveRecording();
    forbidReading(recording.path);
    const folder = join(temporaryFolder(), 'recordings');
    const fetched = await fetchRecording(recording, { server, folder });
    expect(fetched).toBe(join(folder, `${recording.sha256}.wav`));
    expect(readFileSync(fetched, 'utf8')).toBe('sound');
  });

  it('says that it cannot write, which is no fault of the recording', async () => {
    const { server, recording } = await serveRecording();
    const file = join(temporaryFolder(), 'file');
    writeFileSync(file, '');
    const elsewhere = { ...recording, path: '/nowhere/seen.wav' };
    const failed = fetchRecording(elsewhere, { server, folder: join(file, 'recordings') });
    const error: unknown = await failed.catch((reason: unknown) => reason);
    expect(fetchProblemOf(error)).toBe('forbidden');
    expect((error as Error).message).toBe(
      `cannot write to ${join(file, 'recordings')}: a part of the path is a file; name another folder with XDG_CACHE_HOME.`,
    );
  });

  it('counts a disk that fails, and one that became read-only, as the disk: room would mend neither', () => {
    const failed = (code: string) => {
      const failure = explainDisk(Object.assign(new Error('injected'), { code }), '/folder', 5) as Error;
      return [fetchProblemOf(failure), failure.message];
    };
    expect(failed('EIO')).toEqual([
      'disk',
      'cannot write to /folder: the disk reports an error; name another folder with XDG_CACHE_HOME.',
    ]);
    expect(failed('EROFS')).toEqual([
      'disk',
      'cannot write to /folder: the file system is read-only; make it writable, or name another folder with XDG_CACHE_HOME.',
    ]);
  });
});
