/** What the system says where it cannot write, in sentences for the person. */
import { visiblePath } from './temporary.js';

/** Linux makes a file system read-only when its disk fails; EFBIG is `ulimit -f`, or FAT32's 4 GiB. */
const CODES_OF_DISK = ['ENOSPC', 'EDQUOT', 'EIO', 'EROFS', 'EFBIG'];

/** Nothing is wrong with the input: with room on a disk that works, and files allowed that are as large, the same command works. */
export function isOfDisk(error: unknown): boolean {
  return error instanceof Error && 'code' in error && CODES_OF_DISK.includes(String(error.code));
}

const REASONS: Record<string, string> = {
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EIO: 'the disk reports an error',
  EFBIG: 'the file would be too large',
  ENOTDIR: 'a part of the path is a file',
  EEXIST: 'a part of the path is a file',
  ELOOP: 'a symbolic link in the path leads back to itself',
  EISDIR: 'the file has the name of a folder that is there',
  ENOENT: 'there is no such folder, and none can be made',
  ENAMETOOLONG: 'a name is too long (the system allows 255 bytes, of which writing the file needs some 40)',
};

/** What keeps the folder, where that can be: a run that goes on can choose no other. */
const MENDS: Record<string, string> = {
  EACCES: 'let this user write there',
  EPERM: 'let this user write there',
  ENOSPC: 'make room there',
  EDQUOT: 'make room there',
  EROFS: 'make it writable',
  EFBIG: 'allow larger files (ulimit -f)',
};

/** How another place is chosen, by whoever named this one. */
export const ELSEWHERE = 'choose another (on the command line: --output)';

/** A sentence of a command that has no --output, and so can choose no other place. */
export function withoutElsewhere(sentence: string): string {
  return sentence.replace(`, or ${ELSEWHERE}`, '').replace(`; ${ELSEWHERE}`, '');
}

/**
 * What a person can do where a folder cannot be written to.
 * @param code of the system
 * @param elsewhere how another folder is chosen
 */
export function remedyOf(code: string, elsewhere = ELSEWHERE): string {
  return [MENDS[code], elsewhere].filter(Boolean).join(', or ');
}

/**
 * Why the system could not write, as an Error with one sentence whose cause has the code; any other error as it is.
 * @param remedy ends the sentence
 */
export function explainWriteError(error: unknown, folder: string, remedy?: string): unknown {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === undefined) return error;
  return new Error(
    `cannot write to ${visiblePath(folder)}: ${REASONS[code] ?? code}; ${remedy ?? remedyOf(code)}.`,
    { cause: error },
  );
}

/** As `explainWriteError`, of a folder that a variable of the environment names; what is in a sentence already gets another remedy. */
export function explainCacheError(error: unknown, folder: string, variable: string): unknown {
  const cause = systemErrorOf(error);
  if (cause === undefined) return error;
  return explainWriteError(cause, folder, remedyOf(cause.code, otherFolderBy(variable)));
}

/** How a folder is chosen that a variable of the environment names. */
export const otherFolderBy = (variable: string): string => `name another folder with ${variable}`;

/** What the system said, of its error or of a sentence about it; undefined where an error tells of nothing that could not be written. */
export function systemErrorOf(error: unknown): (Error & { code: string }) | undefined {
  return [error, (error as Error).cause].find(isOfSystem);
}

/** ENOSPC and the like; Node.js' own codes begin with ERR_. A program that cannot be started has arguments. */
function isOfSystem(error: unknown): error is Error & { code: string } {
  if (!(error instanceof Error && 'code' in error) || 'spawnargs' in error) return false;
  return /^E[A-Z\d]+$/.test(String(error.code));
}
