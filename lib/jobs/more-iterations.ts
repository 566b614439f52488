import { readEvaluations } from '../experiment/evaluations-file.js';
import { hackingOf } from '../experiment/evaluate.js';
import { parseParameters } from '../run/parameters.js';
import type { RecordedRun, RunRecord } from '../run/run-files.js';

/**
 * A run's record with more iterations than it began with. Nothing that an iteration does depends on how many there are (each has a
 * learning rate schedule and a random stream of its own), except that early stopping by a guard does not look at the last one.
 *
 * @throws Error in one sentence for fewer iterations than the run has, and where a run that began with so many would have ended early
 */
export async function withIterations(
  { record, events, directories }: RecordedRun,
  iterations: number,
): Promise<RunRecord> {
  const { run, parameters } = record;
  const raised = parseParameters({ ...parameters, iterations });
  const began = parameters.iterations;
  if (iterations < began)
    throw new Error(
      `run ${run} has ${began} iteration${began === 1 ? '' : 's'}: a number of iterations can be raised, not lowered to ${iterations}`,
    );
  if (iterations === began) return record;
  const stopped = events.find((event) => event.type === 'stopped' && event.step === undefined);
  const evaluations = await readEvaluations(directories);
  const last = evaluations?.last;
  const wouldStop =
    parameters.earlyStopping === 'guard' &&
    last?.iteration === began - 1 &&
    hackingOf(evaluations!.original, last.evaluation).length > 0;
  if (stopped || wouldStop)
    throw new Error(
      `a guard warned of run ${run} after iteration ${last?.iteration ?? began - 1}, and its earlyStopping ends a run there, however many iterations it has: start a run with --early-stopping none, from that checkpoint (--policy) or anew`,
    );
  return { ...record, parameters: raised, state: record.state === 'finished' ? 'interrupted' : record.state };
}
