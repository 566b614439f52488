import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parsePickle } from '../../lib/checkpoint/pickle.js';
import { readSafetensors } from '../../lib/checkpoint/safetensors.js';
import { asStateDict, parseTorchFile, readTorchFile } from '../../lib/checkpoint/torch-file.js';
import { parseNisqaWeights } from '../../lib/scoring/nisqa/weights.js';
import { sharedPath } from '../support/shared.js';
import { oldTorchFile, storedZip, Tensor, torchFile } from '../support/torch-file.js';

const VALUES = new Map<string, unknown>([
  ['args', new Map<string, unknown>([['rate', 0.25], ['bands', 48], ['pool', [24, 7]], ['name', 'grün'], ['flag', true], ['none', null]])], // prettier-ignore
  ['state', new Map([['w', new Tensor([2, 3], Float32Array.from([1, 2, 3, 4, 5, 6]))]])],
]);

describe('parseTorchFile', () => {
  it('reads values and tensors', () => {
    const read = parseTorchFile(torchFile(VALUES), 'a.pt') as Map<string, unknown>;
    expect(read.get('args')).toEqual(VALUES.get('args'));
    const weight = asStateDict(read.get('state'), 'a.pt').get('w')!;
    expect(weight).toEqual({ shape: [2, 3], dtype: 'float32', data: Float32Array.from([1, 2, 3, 4, 5, 6]) });
  });

  it('reads a tensor that is a part of its storage', () => {
    const storage = Float32Array.from([1, 2, 3, 4, 5, 6, 7, 8]);
    const part = new Tensor([2, 2], storage, [2, 1], 'FloatStorage', 3);
    for (const file of [torchFile(part), oldTorchFile(part)])
      expect(parseTorchFile(file, 'a.pt')).toEqual({
        shape: [2, 2],
        dtype: 'float32',
        data: Float32Array.from([4, 5, 6, 7]),
      });
  });

  it('reads files whose checksums were not computed', () => {
    const read = parseTorchFile(
      torchFile(VALUES, 'archive', () => 0),
      'a.pt',
    );
    expect(read).toEqual(parseTorchFile(torchFile(VALUES), 'a.pt'));
  });

  it('refuses any other global by its name and runs nothing', () => {
    const evil = storedZip([
      ['archive/data.pkl', Buffer.from('\x80\x02cos\nsystem\nX\x02\0\0\0ls\x85R.', 'latin1')],
    ]);
    expect(() => parseTorchFile(evil, 'evil.bin')).toThrow(
      'evil.bin: cannot read its pickle: it asks for the Python global "os system"',
    );
  });

  const pickleFile = (pickle: string) => storedZip([['a/data.pkl', Buffer.from(pickle, 'latin1')]]);
  const strided = new Tensor([2, 2], Float32Array.from([1, 2, 3, 4]), [1, 2]);
  const beyond = new Tensor([1000, 1000], Float32Array.from([1]));
  const pastTheEnd = new Tensor([2], Float32Array.from([1, 2, 3]), [1], 'FloatStorage', 2);
  const damaged = torchFile(VALUES);
  damaged[damaged.indexOf(0x80) + 20] ^= 1;
  it.each([
    ['no zip', new Uint8Array(100), 'not a zip archive'],
    ['a cut file', torchFile(VALUES).subarray(0, 600), 'not a zip archive, or cut short'],
    ['a damaged part', damaged, 'its part "archive/data.pkl" is damaged'],
    ['compression', storedZip([['a/data.pkl', new Uint8Array(1)]], 8), 'is compressed'],
    ['a name twice', storedZip([['a', new Uint8Array(1)], ['a', new Uint8Array(1)]]), 'is there twice'], // prettier-ignore
    ['no pickle', storedZip([['a/b', new Uint8Array(1)]]), 'there is no data.pkl'],
    ['a cut pickle', pickleFile('\x80\x02}q\x00'), 'it ends too early'],
    ['another protocol', pickleFile('\x80\x04}.'), 'protocol 4'],
    ['an unknown opcode', pickleFile('\x80\x02i'), 'opcode 0x69'],
    ['an empty stack', pickleFile('\x80\x02.'), 'its stack runs empty'],
    ['a value never stored', pickleFile('\x80\x02h\x05.'), 'refers to value 5'],
    ['a call of data', pickleFile('\x80\x02})R.'), 'calls something that cannot be called'],
    ['a tensor without data', pickleFile('\x80\x02(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\0' + '0tQ.'), 'data "data/0" is missing'], // prettier-ignore
    ['strides', torchFile(strided), 'only contiguous tensors'],
    ['a tensor larger than its data', torchFile(beyond), 'exceeds its data of 1 numbers'],
    ['a tensor that goes on past its data', torchFile(pastTheEnd), 'at 2 exceeds its data of 3 numbers'],
    ['a bomb of empty dicts', pickleFile(`\x80\x02${'}'.repeat(200_000)}.`), 'more than 100000 objects'],
  ])('refuses %s', (_, bytes, message) => {
    expect(() => parseTorchFile(bytes, 'some.pt')).toThrow('some.pt: ');
    expect(() => parseTorchFile(bytes, 'some.pt')).toThrow(message);
  });

  it('does not write out lists of lists that a few bytes make endless', () => {
    // Each holds the one before it twice: 60 of them hold the first 2^60 times.
    const byte = (i: number) => String.fromCharCode(i);
    const doubled = Array.from({ length: 60 }, (_, i) => `h${byte(i)}\x86q${byte(i + 1)}`);
    const bomb = `)q${byte(0)}${doubled.join('')}`;
    const keyed = parseTorchFile(pickleFile(`\x80\x02}${bomb}Ns.`), 'some.pt');
    expect(() => asStateDict(keyed, 'some.pt')).toThrow('an entry under a list or dict that is not a tensor');
    const empty = Buffer.from(oldTorchFile(new Map())).subarray(0, -1);
    const listing = Buffer.concat([empty.subarray(0, empty.lastIndexOf(0x80)), Buffer.from(`\x80\x02]${bomb}a.`, 'latin1')]); // prettier-ignore
    expect(() => parseTorchFile(listing, 'some.pt')).toThrow('lists tensor data under a list or dict of no');
    const args = pickleFile(`\x80\x02}X\x04\0\0\0args}X\x05\0\0\0model${bomb}ss.`);
    expect(() => parseNisqaWeights(args, 'nisqa.tar')).toThrow(
      'nisqa.tar: a NISQA network with model = [ [ [Array], [Array] ], [ [Array], [Array] ] ]; only',
    );
  });

  it('refuses entries that share their bytes', () => {
    const bytes = storedZip(
      Array.from({ length: 4 }, (_, i): [string, Uint8Array] => [`a/${i}`, new Uint8Array(1000)]),
    );
    const first = Buffer.from(bytes).indexOf('PK\x01\x02');
    const view = new DataView(bytes.buffer);
    const [headerBytes, size] = [33, 3000];
    for (let entry = 0; entry < 4; entry++) {
      const at = first + 49 * entry;
      view.setUint32(at + 16, crc32(bytes.subarray(headerBytes, headerBytes + size)), true);
      view.setUint32(at + 24, size, true);
      view.setUint32(at + 42, 0, true);
    }
    expect(() => parseTorchFile(bytes, 'some.pt')).toThrow('some.pt: its part "a/1" overlaps another');
  });

  it('answers or explains, whatever the bytes', () => {
    const source = torchFile(VALUES);
    const length = fc.oneof({ weight: 9, arbitrary: fc.constant(source.length) }, fc.nat(source.length));
    const change = fc.tuple(fc.nat(source.length - 1), fc.nat(255));
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), length, (changes, kept) => {
        const bytes = source.slice();
        for (const [offset, value] of changes) bytes[offset] = value;
        return explains(() => parseTorchFile(bytes.subarray(0, kept), 'some.pt'));
      }),
      { numRuns: 10_000 },
    );
  });
});

describe('the format before PyTorch 1.6', () => {
  const halves = new Tensor([2], Uint16Array.from([0x3c00, 0xc000]), [1], 'HalfStorage');
  const value = new Map<string, unknown>([
    ...VALUES,
    ['half', halves],
    ['scalar', new Tensor([], Float32Array.from([7]))],
    ['none', new Tensor([0, 3], new Float32Array(0))],
  ]);
  const file = oldTorchFile(value);

  it('holds what the new one holds', () => {
    const read = parseTorchFile(file, 'a.pt') as Map<string, unknown>;
    expect(read).toEqual(parseTorchFile(torchFile(value), 'a.pt'));
    expect(read.get('half')).toEqual({ shape: [2], dtype: 'float32', data: Float32Array.from([1, -2]) });
  });

  it.each([1, 4, 9])('is cut short where %d bytes are missing at its end', (missing) => {
    const short = oldTorchFile(new Map([['w', new Tensor([2], Float32Array.from([1, 2]))]]));
    expect(() => parseTorchFile(short.subarray(0, -missing), 'some.pt')).toThrow(
      /^some\.pt: cut short: its tensor data "0" should hold 8 bytes, \d are there$/,
    );
  });

  it('is refused from a big-endian machine', () => {
    expect(() => parseTorchFile(oldTorchFile(value, { little_endian: false }), 'some.pt')).toThrow(
      'some.pt: written on a big-endian machine',
    );
  });

  it('runs nothing', () => {
    const empty = oldTorchFile(new Map());
    const machineEnds = empty.indexOf('.'.charCodeAt(0), 21) + 1;
    const evil = Buffer.concat([
      empty.subarray(0, machineEnds),
      Buffer.from('\x80\x02cos\nsystem\nX\x02\0\0\0ls\x85R.', 'latin1'),
    ]);
    expect(() => parseTorchFile(evil, 'evil.bin')).toThrow(
      'evil.bin: cannot read its pickle: it asks for the Python global "os system"',
    );
  });

  it('answers or explains, whatever the bytes', () => {
    const change = fc.tuple(fc.nat(file.length - 1), fc.nat(255));
    const length = fc.oneof({ weight: 9, arbitrary: fc.constant(file.length) }, fc.nat(file.length));
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), length, (changes, kept) => {
        const bytes = file.slice();
        for (const [offset, byte] of changes) bytes[offset] = byte;
        return explains(() => parseTorchFile(bytes.subarray(0, kept), 'some.pt'));
      }),
      { numRuns: 10_000 },
    );
  });
});

describe('parsePickle', () => {
  it('answers or explains, whatever the bytes', () => {
    const zip = Buffer.from(torchFile(VALUES));
    const pickle = zip.subarray(zip.indexOf('\x80\x02', 0, 'latin1'), zip.indexOf('PK\x03\x04', 4, 'latin1'));
    const globals = new Map([['collections OrderedDict', { call: () => new Map() }]]);
    const change = fc.tuple(fc.nat(pickle.length - 1), fc.nat(255));
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 8 }), (changes) => {
        const bytes = Uint8Array.from(pickle);
        for (const [offset, value] of changes) bytes[offset] = value;
        return explains(() => parsePickle(bytes, { name: 'some.pt', globals, loadPersistent: () => null }));
      }),
      { numRuns: 10_000 },
    );
  });
});

function explains(read: () => unknown): boolean {
  try {
    read();
    return true;
  } catch (error) {
    return error instanceof Error && error.message.startsWith('some.pt: ');
  }
}

const bin = sharedPath('golden/bart/tiny_bart_bin/pytorch_model.bin');
const safetensors = sharedPath('golden/bart/tiny_bart/model.safetensors');
describe.skipIf(!bin || !safetensors)('a file of PyTorch', () => {
  it('holds the tensors that its safetensors twin holds', async () => {
    const state = asStateDict(await readTorchFile(bin!), bin!);
    const twin = await readSafetensors(safetensors!);
    expect(twin.size).toBeGreaterThan(80);
    for (const [name, tensor] of twin) expect(state.get(name), name).toEqual(tensor);
  });
});
