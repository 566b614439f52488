/**
 * glibc's allocator while a session of a large model is made (mallopt(3)). ONNX Runtime copies each weight twice on its way to the packed
 * one that it keeps. glibc at first gives blocks from 128 KiB on pages of their own, which the system has back as soon as they are freed. But
 * the largest of them that was freed raises that limit, to 32 MiB at most, and from then on copies that are gone leave holes which
 * nothing fits into: a fifth of the memory of sampling at BART-base's size.
 */
import koffi from 'koffi';

const M_TRIM_THRESHOLD = -1;
const M_MMAP_THRESHOLD = -3;
/** Where glibc begins. */
const LEAST_BYTES = 128 * 1024;
/** Where its own rule ends. */
const MOST_BYTES = 32 * 2 ** 20;

// Held, since koffi closes a library whose handle is collected.
const libc = koffi.load('libc.so.6');
const mallopt = libc.func('mallopt', 'int', ['int', 'int']);

/** Gives each large block pages of its own while `make` runs. Runs of programs, before and after it, use freed blocks again. */
export function withLargeBlocksApart<Made>(make: () => Made): Made {
  mallopt(M_MMAP_THRESHOLD, LEAST_BYTES);
  try {
    return make();
  } finally {
    mallopt(M_MMAP_THRESHOLD, MOST_BYTES);
    mallopt(M_TRIM_THRESHOLD, 2 * MOST_BYTES);
  }
}
