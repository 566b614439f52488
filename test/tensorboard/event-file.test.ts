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

  it('says of sound and text what they are, so that browsers play and show them', () => {
    const audio = { wav: Uint8Array.of(7), sampleRateHz: 8000, channels: 2, frames: 5 };
    const points = [
      { tag: 'x', step: 1, audio },
      { tag: 'y', step: 1, text: 'a' },
    ];
    const [sound, text] = readRecords(Buffer.from(pointRecords(points, 1))).map((bytes) => {
      const [value] = fieldsOf(fieldsOf(bytes).get(5)![0] as Buffer).get(1) as Buffer[];
      return fieldsOf(value);
    });
    const partsOf = (of: Map<number, unknown[]>, field: number) => fieldsOf(of.get(field)![0] as Buffer);
    const heard = partsOf(sound, 6);
    expect([2, 3, 4, 5].map((field) => heard.get(field)![0])).toEqual([
      ...[2n, 5n],
      ...[Buffer.from([7]), Buffer.from('audio/wav')],
    ]);
    // Of the audio plugin, whose content is { encoding: WAV }: a blob sequence; of the text plugin: a tensor.
    const [ofSound, ofText] = [sound, text].map((each) => partsOf(each, 9));
    expect([ofSound, ofText].map((each) => each.get(4))).toEqual([[3n], [2n]]);
    expect(partsOf(ofSound, 1)).toEqual(new Map([[1, [Buffer.from('audio')]], [2, [Buffer.from([16, 11])]]])); // prettier-ignore
    expect(partsOf(ofText, 1).get(1)).toEqual([Buffer.from('text')]);
  });
});
