/** Shared libraries of the system, and functions in them that are called by their address (koffi). */
import koffi from 'koffi';

/** An address in memory of the process or of the GPU. 0n is none. */
export type Address = bigint;

/** The system's own way to libraries. */
interface Loader {
  /** Null where the library cannot be opened. It stays open until the process ends. */
  open(path: string): Address | null;
  /** Null where the library has no such symbol. */
  find(library: Address, symbol: string): Address | null;
  /** Why the library was not opened. */
  reason(): string | null;
}

/** What the C library is called, which no process closes. */
const C_LIBRARY: Partial<Record<NodeJS.Platform, string>> = {
  win32: 'ucrtbase.dll',
  darwin: 'libSystem.B.dylib',
};
const libc = koffi.load(C_LIBRARY[process.platform] ?? 'libc.so.6');

/**
 * koffi closes a library as soon as its own handle is collected, while addresses of functions in it live on: a call would end the process.
 * Libraries are therefore opened by the system's own functions, which never close them.
 */
const loader = process.platform === 'win32' ? openWindowsLoader() : openPosixLoader();

function openPosixLoader(): Loader {
  const RTLD_NOW = 2;
  /** Nothing that a native library has started, such as its threads, ends with a thread of ours: it stays where it is. */
  const RTLD_NODELETE = process.platform === 'darwin' ? 0x80 : 0x1000;
  const dlopen = libc.func('void *dlopen(const char *path, int flags)') as (
    path: string,
    flags: number,
  ) => Address | null;
  return {
    open: (path) => dlopen(path, RTLD_NOW | RTLD_NODELETE),
    find: libc.func('void *dlsym(void *library, const char *name)') as Loader['find'],
    reason: libc.func('const char *dlerror()') as Loader['reason'],
  };
}

function openWindowsLoader(): Loader {
  const kernel = koffi.load('kernel32.dll');
  const code = kernel.func('uint32_t GetLastError()') as () => number;
  return {
    open: kernel.func('void *LoadLibraryW(const char16_t *path)') as Loader['open'],
    find: kernel.func('void *GetProcAddress(void *library, const char *name)') as Loader['find'],
    reason: () => `Windows gives the error ${code()}`,
  };
}

export type NativeFunction = (...args: unknown[]) => unknown;

/** A library that stays open until the process ends. */
export interface Library {
  /** @throws Error when the library has no such symbol */
  addressOf(symbol: string): Address;
  /** @param result, parameters types by their names in C */
  functionOf(symbol: string, result: string, parameters: readonly string[]): NativeFunction;
}

/** @param path a path, or a name that the system looks for (LD_LIBRARY_PATH, the linker's cache) @throws Error with the system's sentence */
export function openLibrary(path: string): Library {
  const library = loader.open(path);
  if (!library) throw new Error(loader.reason() ?? `${path} cannot be opened`);
  const addressOf = (symbol: string): Address => {
    const address = loader.find(library, symbol);
    if (!address) throw new Error(`${path} has no ${symbol}`);
    return address;
  };
  return {
    addressOf,
    functionOf: (symbol, result, parameters) => functionAt(addressOf(symbol), result, parameters),
  };
}

/** The function at an address. */
export function functionAt(address: Address, result: string, parameters: readonly string[]): NativeFunction {
  return koffi.decode(address, koffi.proto(result, [...parameters])) as NativeFunction;
}

/** `count` addresses that lie one after the other. */
export function addressesAt(address: Address, count: number): Address[] {
  return koffi.decode(address, koffi.array('void *', count)) as Address[];
}

/** The text of zero-terminated UTF-8 at an address. */
export function textAt(address: Address): string {
  return koffi.decode(address, 'char', -1) as string;
}

const memcpyIn = libc.func('memcpy', 'void *', ['uint64_t', 'const void *', 'size_t']) as NativeFunction;
const memcpyOut = libc.func('memcpy', 'void *', ['void *', 'uint64_t', 'size_t']) as NativeFunction;

/** Copies bytes of the process's memory that no array of ours stands for. */
export function copyFrom<Data extends ArrayBufferView>(address: Address, into: Data): Data {
  memcpyOut(into, address, into.byteLength);
  return into;
}

/** Copies an array to an address in the process's memory. */
export function copyTo(address: Address, data: ArrayBufferView): void {
  memcpyIn(address, data, data.byteLength);
}

const move = libc.func('memmove', 'uint64_t', ['void *', 'const void *', 'size_t']) as NativeFunction;

/** Where an array's values are. They stay there until its memory is freed or moved to another thread (`lendArrays`). */
export const arrayAddress = (data: ArrayBufferView): Address =>
  BigInt(move(data, data, 0) as number | bigint);

/** Memory of the process that no garbage collection moves or frees. */
export const allocateBytes = (byteLength: number): Address => koffi.alloc('uint8_t', byteLength) as Address;

/** Where a function of C leaves an address or a 64-bit number: a parameter of type `void *`. */
export const result = (): BigUint64Array => new BigUint64Array(1);
