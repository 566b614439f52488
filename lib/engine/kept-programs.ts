/** Compiled programs that are kept for the next time. A program belongs to its shapes: of some there come to be hundreds. */
import { releaseAll } from '../release.js';
import { remember } from '../remember.js';
import type { Compiled } from './compile.js';

/** Compiled programs by a key, those asked for last. */
export interface KeptPrograms<Program = Compiled> {
  /** The program of that key, compiled where it is not kept. One that cannot be compiled is not kept. */
  get(key: string, compile: () => Promise<Program>): Promise<Program>;
  /** Frees all that are kept, once they are compiled. */
  release(): Promise<void>;
}

/**
 * Keeps compiled programs for the next time.
 *
 * @param most programs kept, those asked for last: what is asked for must be run before as many others are
 */
export function keepPrograms<Program extends { dispose(): Promise<void> } = Compiled>(
  most: number,
): KeptPrograms<Program> {
  const programs = new Map<string, Promise<Program>>();
  const dispose = async (program: Promise<Program>) => (await program.catch(() => undefined))?.dispose();
  return {
    async get(key, compile) {
      const program = remember(programs, key, compile);
      // A map remembers the order of its entries: the one used last comes last.
      programs.delete(key);
      programs.set(key, program);
      const [[oldestKey, oldest]] = programs;
      if (programs.size > most) {
        programs.delete(oldestKey);
        await dispose(oldest);
      }
      return program;
    },
    async release() {
      const all = [...programs.values()];
      programs.clear();
      await releaseAll(all.map((program) => () => dispose(program)));
    },
  };
}
