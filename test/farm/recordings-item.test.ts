import { expect, it } from 'vitest';
import { serveFiles } from '../../lib/farm/files/server.js';
import { recordingsItem } from '../../lib/farm/recordings-item.js';

it('two items with the same recordings are two, each called by its first', async () => {
  const server = await serveFiles();
  try {
    const recordings = [{ path: '/sounds/a.wav', bytes: 2, sha256: 'a'.repeat(64) }];
    const ids = [0, 1].map((position) => recordingsItem(recordings, position, server, 'terms').id);
    expect(ids[0]).not.toBe(ids[1]);
    const others = ['b', 'c'].map((name) => ({ ...recordings[0], path: `/sounds/${name}.wav` }));
    const titleOf = (files: typeof recordings) => recordingsItem(files, 0, server, 'terms').title;
    expect(titleOf(recordings)).toBe('/sounds/a.wav');
    expect(titleOf([...recordings, ...others])).toBe('/sounds/a.wav and 2 more recordings');
  } finally {
    await server.close();
  }
});
