import { describe, expect, it } from 'vitest';
import type { HostArray } from '../../lib/engine/index.js';
import { openPromptContexts } from '../../lib/policy/partner-context.js';

const config = { pad_token_id: 1 } as never;
const slot = {};

/** Contexts of an encoder that writes down what it is given, and whose states tell it again. */
function open(mostBytes?: number) {
  const encoded: string[] = [];
  const written: string[] = [];
  const programs = {
    encoder: async (length: number, idsPerPosition: number) => async (feeds: Record<string, unknown>) => {
      const ids = feeds.promptIds as Int32Array;
      expect([ids.length, (feeds.promptMask as Float32Array).length]).toEqual([
        length * idsPerPosition,
        length,
      ]);
      encoded.push(ids.join(' '));
      return { states: Float32Array.from(ids) };
    },
    context: async () => async (feeds: Record<string, unknown>) => {
      written.push((feeds.states as HostArray).join(' '));
      return {};
    },
  };
  return { encoded, written, contexts: openPromptContexts({ config }, programs, mostBytes) };
}

describe("contexts of the partner's prompts", () => {
  it('encode a prompt once, and write it wherever it is asked for', async () => {
    const { encoded, written, contexts } = open();
    const [a, b] = [
      [[7], [8]],
      [[7], [9]],
    ];
    for (const prompt of [a, b, a, a, b]) await contexts.write(prompt, 3, slot);
    expect(encoded).toEqual(['7 8 1', '7 9 1']);
    expect(written).toEqual(['7 8 1', '7 9 1', '7 8 1', '7 8 1', '7 9 1']);
  });

  it('tell lengths and ids a position apart', async () => {
    const { encoded, contexts } = open();
    await contexts.write([[7, 8], [9]], 2, slot);
    await contexts.write([[7], [8], [9]], 4, slot);
    await contexts.write([[7], [8], [9]], 3, slot);
    expect(encoded).toEqual(['7 8 9 1', '7 8 9 1', '7 8 9']);
  });

  it('keep so many bytes, of those asked for last', async () => {
    // Two prompts of three numbers.
    const { encoded, written, contexts } = open(24);
    for (const id of [2, 3, 2, 4, 2, 3]) await contexts.write([[id]], 3, slot);
    expect(encoded).toEqual(['2 1 1', '3 1 1', '4 1 1', '3 1 1']);
    expect(written).toHaveLength(6);
    const none = open(0);
    for (const id of [2, 2]) await none.contexts.write([[id]], 3, slot);
    expect(none.encoded).toHaveLength(2);
  });
});
