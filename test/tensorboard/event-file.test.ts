import { describe, expect, it } from 'vitest';
import { crc32c, maskedCrc32c } from '../../lib/tensorboard/crc32c.js';
import { fileHead, pointRecords } from '../../lib/tensorboard/event-file.js';
import { fieldsOf, readRecords } from '../support/event-file-reader.js';

describe('crc32c', () => {
  const ascending = Uint8Array.from({ length: 32 }, (_, i) => i);
  it.each([
    ['123456789', Buffer.from('123456789'), 0xe3069283],
    ['nothing', new Uint8Array(0), 0],
    // RFC 3720, appendix B.4.
    ['32 zeros', new Uint8Array(32), 0x8a9136aa],
    ['32 ones', new Uint8Array(32).fill(0xff), 0x62a8ab43],
    ['0 to 31', ascending, 0x46dd794e],
    ['31 to 0', ascending.toReversed(), 0x113fdb5c],
  ])('of %s', (_, bytes, crc) => {
    expect(crc32c(bytes)).toBe(crc);
  });

  it("is masked as in the first bytes of files that TensorFlow wrote, a record's length of 24", () => {
    expect(maskedCrc32c(Uint8Array.of(24, 0, 0, 0, 0, 0, 0, 0))).toBe(0x224b7fa3);
  });
});

describe('an event file', () => {
  it('begins with its version and the start of a session at step 0', () => {
    const [version, start] = readRecords(Buffer.from(fileHead(1.5))).map(fieldsOf);
    expect((version.get(1)![0] as Buffer).readDoubleLE()).toBe(1.5);
    expect(version.get(3)!.toString()).toBe('brain.Event:2');
    expect(fieldsOf(start.get(7)![0] as Buffer)).toEqual(new Map([[1, [1n]]]));
    expect(start.has(2)).toBe(false);
  });

  it('keeps a scalar that is 0, and a step beyond 32 bits', () => {
    const [record] = readRecords(Buffer.from(pointRecords([{ tag: 'x', step: 2 ** 40, scalar: 0 }], 1))).map(
      fieldsOf,
    );
    expect(record.get(2)).toEqual([2n ** 40n]);
    const [value] = fieldsOf(record.get(5)![0] as Buffer).get(1) as Buffer[];
    expect(fieldsOf(value).get(2)).toEqual([Buffer.alloc(4)]);
  });
});
