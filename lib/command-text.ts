import { isClone } from './package-root.js';

/** A command line of this program that a person can paste into a shell: `npx speech-dpo report "output/my run"`. */
export function commandText(...words: readonly string[]): string {
  return ['npx', 'speech-dpo', ...words].map(quoteForShell).join(' ');
}

/** A word as a shell takes it: as it is, in double quotes, or in single ones where a shell reads more than the text in double ones. */
export function quoteForShell(word: string): string {
  if (/^[\w./:=,@%+~-]+$/.test(word)) return word;
  return /["$`\\!]/.test(word) ? `'${word.replaceAll("'", `'\\''`)}'` : `"${word}"`;
}

/** The command that downloads a metric's weights into the user's cache. */
export function weightsCommand(metric: string): string {
  if (isClone()) return `npm run weights -- ${metric}`;
  const reference = metric === 'similarity' ? ['--reference', 'RECORDING.wav'] : [];
  return commandText('score', 'RECORDING.wav', '--metric', metric, ...reference);
}

/** What fetches CUDA's libraries, as a sentence's subject. */
export function gpuCommand(): string {
  return isClone()
    ? 'npm run gpu'
    : 'npm run gpu in a clone of speech-dpo, whose .cache/gpu SPEECH_DPO_CUDA_LIBRARIES then names,';
}

/**
 * The command that installs packages anew: a clone's own, or all of the project that speech-dpo is one of. `npm install --force` leaves one that is
 * there as it is; docs/library.md says why no script runs.
 */
export function reinstallCommand(): string {
  return isClone() ? 'npm ci' : 'npm ci --ignore-scripts';
}
