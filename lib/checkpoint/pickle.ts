/**
 * A reader of Python pickles that executes nothing: only the opcodes that PyTorch's own files use (protocol 2), and only the globals
 * the caller lists. Anything else is refused by name. Opcodes: CPython's Lib/pickletools.py.
 */

/** A Python class or function that a pickle may mention. */
export interface PickleGlobal {
  /** What calling it gives; absent for one that is only ever an argument. */
  call?: (args: readonly unknown[]) => unknown;
}

export interface PickleOptions {
  /** Stands for the file in error messages. */
  name: string;
  /** Permitted globals by "module name", for example "collections OrderedDict". */
  globals: ReadonlyMap<string, PickleGlobal>;
  /** Resolves a persistent id (how PyTorch refers to tensor data outside of the pickle). */
  loadPersistent: (id: unknown) => unknown;
}

/** Beyond any real checkpoint (BART-base has about 2,000), and few enough that a hostile file cannot fill the memory with empty ones. */
const MAX_CONTAINERS = 100_000;

const MARK = Symbol('mark');

/**
 * The pickled value: None as null, int and float as number, str, list and tuple as arrays, dict as Map, and what the globals made.
 *
 * @throws Error naming the file, when it is no such pickle, or asks for a global that is not listed
 */
export function parsePickle(bytes: Uint8Array, options: PickleOptions): unknown {
  return parsePickleAt(bytes, 0, options).value;
}

/** As {@link parsePickle}, of the pickle that begins at byte `start`; `end` is where the next thing begins. */
export function parsePickleAt(
  bytes: Uint8Array,
  start: number,
  options: PickleOptions,
): { value: unknown; end: number } {
  const machine = new PickleMachine(bytes, start, options);
  return { value: machine.run(), end: machine.offset };
}

class PickleMachine {
  readonly #view: DataView;
  readonly #stack: unknown[] = [];
  readonly #memo = new Map<number, unknown>();
  #offset: number;
  #containers = 0;

  constructor(
    private readonly bytes: Uint8Array,
    start: number,
    private readonly options: PickleOptions,
  ) {
    this.#offset = start;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get offset(): number {
    return this.#offset;
  }

  run(): unknown {
    for (;;) {
      const opcode = this.#view.getUint8(this.#take(1));
      if (opcode === STOP) return this.pop();
      const act = OPCODES[opcode];
      if (!act)
        this.fail(
          `opcode 0x${opcode.toString(16)} at byte ${this.#offset - 1} is not one that PyTorch writes`,
        );
      act(this);
    }
  }

  fail(reason: string): never {
    throw new Error(`${this.options.name}: cannot read its pickle: ${reason}`);
  }

  push(value: unknown): void {
    if (typeof value === 'object' && value !== null && ++this.#containers > MAX_CONTAINERS) {
      this.fail(`it holds more than ${MAX_CONTAINERS} objects`);
    }
    this.#stack.push(value);
  }

  mark(): void {
    this.#stack.push(MARK);
  }

  pop(): unknown {
    const value = this.#stack.pop();
    if (value === undefined || value === MARK) this.fail('its stack runs empty');
    return value;
  }

  /** Takes everything above the last mark, and the mark. */
  popToMark(): unknown[] {
    const at = this.#stack.lastIndexOf(MARK);
    if (at < 0) this.fail('a mark is missing');
    return this.#stack.splice(at).slice(1);
  }

  popMany(count: number): unknown[] {
    return Array.from({ length: count }, () => this.pop()).reverse();
  }

  top<T>(type: abstract new (...args: never[]) => T): T {
    const value = this.#stack.at(-1);
    if (!(value instanceof type)) this.fail(`an operation on a ${type.name} found something else`);
    return value;
  }

  put(index: number): void {
    this.#memo.set(index, this.#stack.at(-1));
  }

  get(index: number): void {
    if (!this.#memo.has(index)) this.fail(`it refers to value ${index}, which it never stored`);
    this.#stack.push(this.#memo.get(index));
  }

  global(): void {
    const key = `${this.line()} ${this.line()}`;
    const found = this.options.globals.get(key);
    if (!found)
      this.fail(
        `it asks for the Python global "${key}", which is not one of the permitted ${this.options.globals.size}`,
      );
    this.#stack.push(found);
  }

  reduce(): void {
    const [callee, args] = this.popMany(2);
    const call = [...this.options.globals.values()].find((global) => global === callee)?.call;
    if (!call || !Array.isArray(args)) this.fail('it calls something that cannot be called');
    this.push(call(args));
  }

  loadPersistent(): void {
    this.push(this.options.loadPersistent(this.pop()));
  }

  uint8 = () => this.#view.getUint8(this.#take(1));
  uint16 = () => this.#view.getUint16(this.#take(2), true);
  int32 = () => this.#view.getInt32(this.#take(4), true);
  uint32 = () => this.#view.getUint32(this.#take(4), true);
  float64 = () => this.#view.getFloat64(this.#take(8), false);

  /** LONG1: a little-endian two's complement integer with its length before it. */
  long(): number {
    const length = this.uint8();
    const at = this.#take(length);
    let value = 0n;
    for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(this.bytes[at + i]);
    return Number(BigInt.asIntN(8 * length, value));
  }

  text(): string {
    const length = this.uint32();
    const at = this.#take(length);
    return new TextDecoder().decode(this.bytes.subarray(at, at + length));
  }

  line(): string {
    const end = this.bytes.indexOf(0x0a, this.#offset);
    if (end < 0) this.fail('it ends in the middle of a name');
    const at = this.#take(end + 1 - this.#offset);
    return new TextDecoder().decode(this.bytes.subarray(at, end));
  }

  #take(length: number): number {
    const at = this.#offset;
    if (at + length > this.bytes.length) this.fail('it ends too early');
    this.#offset += length;
    return at;
  }
}

const STOP = 0x2e;

const OPCODES: Record<number, ((machine: PickleMachine) => void) | undefined> = {
  0x80: (m) => {
    const protocol = m.uint8();
    if (protocol !== 2) m.fail(`it has protocol ${protocol}; PyTorch writes protocol 2`);
  },
  0x28: (m) => m.mark(), // MARK
  0x4e: (m) => m.push(null), // NONE
  0x88: (m) => m.push(true), // NEWTRUE
  0x89: (m) => m.push(false), // NEWFALSE
  0x4b: (m) => m.push(m.uint8()), // BININT1
  0x4d: (m) => m.push(m.uint16()), // BININT2
  0x4a: (m) => m.push(m.int32()), // BININT
  0x8a: (m) => m.push(m.long()), // LONG1
  0x47: (m) => m.push(m.float64()), // BINFLOAT
  0x58: (m) => m.push(m.text()), // BINUNICODE
  0x7d: (m) => m.push(new Map()), // EMPTY_DICT
  0x5d: (m) => m.push([]), // EMPTY_LIST
  0x29: (m) => m.push([]), // EMPTY_TUPLE
  0x74: (m) => m.push(m.popToMark()), // TUPLE
  0x85: (m) => m.push(m.popMany(1)), // TUPLE1
  0x86: (m) => m.push(m.popMany(2)), // TUPLE2
  0x87: (m) => m.push(m.popMany(3)), // TUPLE3
  0x71: (m) => m.put(m.uint8()), // BINPUT
  0x72: (m) => m.put(m.uint32()), // LONG_BINPUT
  0x68: (m) => m.get(m.uint8()), // BINGET
  0x6a: (m) => m.get(m.uint32()), // LONG_BINGET
  0x63: (m) => m.global(), // GLOBAL
  0x52: (m) => m.reduce(), // REDUCE
  0x51: (m) => m.loadPersistent(), // BINPERSID
  // SETITEM
  0x73: (m) => {
    const [key, value] = m.popMany(2);
    m.top(Map).set(key, value);
  },
  // SETITEMS
  0x75: (m) => {
    const items = m.popToMark();
    const target = m.top(Map);
    for (let i = 0; i + 1 < items.length; i += 2) target.set(items[i], items[i + 1]);
  },
  // APPEND
  0x61: (m) => {
    const value = m.pop();
    m.top(Array).push(value);
  },
  // APPENDS
  0x65: (m) => {
    const items = m.popToMark();
    const target = m.top(Array);
    for (const item of items) target.push(item);
  },
  // BUILD gives an object its attributes; a state dict's "_metadata" is the only use, and nothing needs it.
  0x62: (m) => {
    m.pop();
    m.top(Map);
  },
};
