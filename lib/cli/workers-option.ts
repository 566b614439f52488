import { Option } from 'commander';
import { WORKERS_VARIABLE, type GivenWorkers } from '../farm/option.js';

/** `--workers`, `--allow-mixed` and `--serve-at`, which every command has that samples and scores. */
export function workersOptions(): Option[] {
  return [
    new Option(
      '--workers <address>',
      'have workers sample and score: the address of their queue, redis://HOST:PORT, rediss://... or postgres://..., see docs/scale-out.md',
    ).env(WORKERS_VARIABLE),
    new Option(
      '--allow-mixed',
      'let workers on other kinds of devices take part: numbers then depend on who did what',
    ).default(false, 'off'),
    new Option(
      '--serve-at <host:port>',
      'address of this machine at which workers fetch models; default: one that only this machine reaches',
    ),
  ];
}

/**
 * What commander parses of {@link workersOptions}, as the library takes it.
 *
 * @throws Error where workers are told of and no queue is named: the command would do all by itself
 */
export function givenWorkers({ workers, allowMixed, serveAt }: GivenWorkers): GivenWorkers {
  if (workers) return { workers, allowMixed, serveAt };
  // A variable that is there and empty names none.
  if (workers !== undefined && process.env[WORKERS_VARIABLE] !== '')
    throw new Error(
      `--workers is empty, and no queue is named: give its address; to work without workers, leave --workers out and ${WORKERS_VARIABLE} unset`,
    );
  if (serveAt !== undefined || allowMixed) {
    const option = serveAt === undefined ? '--allow-mixed' : '--serve-at';
    throw new Error(
      `${option} is for work with workers, and no queue is named: give --workers and its address, or set ${WORKERS_VARIABLE}`,
    );
  }
  return {};
}
