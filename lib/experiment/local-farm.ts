/** Sampling and scoring in this process. */
import { meaningOf, type Guard, type GuardFigure } from '../reward/guard.js';
import type { RunEvent } from '../run/events.js';
import { checkScored, type CheckedRun } from './check-scored.js';
import type { Farm, GuardChoice, SampleAnswer, SampleRequest } from './farm.js';
import type { Run, SamplingRun, ScoringRun } from './run.js';
import { sampleCompletions } from './sample.js';
import { createScoring } from './score.js';

/** What sampling and scoring in this process work on. */
export type LocalRun = SamplingRun &
  ScoringRun &
  CheckedRun &
  Pick<Run, 'clock'> &
  Partial<Pick<Run, 'guards'>>;

/** The run's own farm, or this process: completions are scored while others are still being sampled. */
export function farmOf(run: LocalRun & Pick<Run, 'farm'>): Farm {
  return run.farm ?? { answer: (request) => answerHere(run, request), policySaved: () => undefined };
}

async function* answerHere(run: LocalRun, request: SampleRequest): AsyncGenerator<RunEvent, SampleAnswer> {
  const { iteration, stage, split, prompts, samplesPerPrompt, seed } = request;
  const startSeconds = run.clock.seconds();
  const guards = chooseGuards(run.guards ?? [], request.guards);
  const scoring = createScoring(run, { split, prompts, guards });
  const progress = progressOf(request);
  try {
    const completions = yield* sampleCompletions(run, prompts, samplesPerPrompt, seed, progress, scoring.add);
    const sampledSeconds = run.clock.seconds();
    if (stage === 'sample') yield sampledEvent(iteration, completions.flat(), sampledSeconds - startSeconds);
    const scored = yield* scoring.finish(progress);
    await checkScored(run, { iteration, stage, split, prompts, scored });
    return { scored, sampledSeconds };
  } finally {
    await scoring.close();
  }
}

/** What the progress of a request is told with. */
export function progressOf({ iteration, stage, split }: SampleRequest) {
  return { iteration, stage, ...(stage === 'evaluate' && { split }) };
}

export function sampledEvent(
  iteration: number,
  completions: readonly { codes: readonly number[] }[],
  seconds: number,
): RunEvent {
  const tokens = completions.reduce((total, { codes }) => total + codes.length, 0);
  return { type: 'sampled', iteration, samples: completions.length, tokens, seconds };
}

/** Whether a figure must not fall within a Pareto pair. */
export const isInPairs = (figure: GuardFigure): boolean => meaningOf(figure).inPairs === true;

export function chooseGuards(guards: readonly Guard[], choice: GuardChoice): readonly Guard[] {
  if (choice === 'none') return [];
  return choice === 'all' ? guards : guards.filter(({ figures }) => figures.some(isInPairs));
}
