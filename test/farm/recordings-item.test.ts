import { expect, it } from 'vitest';
import { serveFiles } from '../../lib/farm/files/server.js';
import { recordingsItem } from '../../lib/farm/recordings-item.js';

it('two items with the same recordings are two', async () => {
  const server = await serveFiles();
  try {
    const recordings = [{ path: '/sounds/a.wav', bytes: 2, sha256: 'a'.repeat(64) }];
    const ids = [0, 1].map((position) => recordingsItem(recordings, position, server, 'terms').id);
    expect(ids[0]).not.toBe(ids[1]);
  } finally {
    await server.close();
  }
});
