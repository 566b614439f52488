import type { Codes } from './codec.js';

/**
 * @throws Error naming the codebook, unless there are 1 to `codebooks` rows of equal length, of whole numbers from 0 to
 * `codebookSize` - 1
 */
export function checkCodes(codes: Codes, codebooks: number, codebookSize: number): void {
  if (codes.length === 0 || codes.length > codebooks) {
    throw new Error(`This codec has ${codebooks} codebooks; got codes for ${codes.length}.`);
  }
  codes.forEach((row, codebook) => {
    if (row.length !== codes[0].length) {
      throw new Error(
        `Codebook ${codebook} has ${row.length} frames, codebook 0 has ${codes[0].length}; all must have the same.`,
      );
    }
    const wrong = row.find((code) => !(Number.isInteger(code) && code >= 0 && code < codebookSize));
    if (wrong !== undefined) {
      throw new Error(
        `Codebook ${codebook} holds ${wrong}; codes are whole numbers from 0 to ${codebookSize - 1}.`,
      );
    }
  });
}
