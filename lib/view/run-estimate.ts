/** How long a run will take: guessed from its first samples, and better known with every stage that is over. */
import { ORIGINAL, type RunEvent, type Split } from '../run/events.js';
import type { Parameters } from '../run/parameters.js';

export interface RunEstimate {
  /** To be told of every event, with the time on a clock that only moves forward. */
  advance(event: RunEvent, nowSeconds: number): void;
  /** Until the run is finished; undefined before there is anything to guess from. */
  remainingSeconds(nowSeconds: number): number | undefined;
}

type Stage = 'evaluate' | 'sample' | 'train';

/** A part of a run: so many samples, or so many pairs in so many passes. */
interface Part {
  stage: Stage;
  iteration: number;
  split?: Split;
  units: number;
}

/**
 * A pair in one pass of training takes about as long as so many samples: 4.3 to 6 with the embedded model on a CPU. Only the time before the first
 * training is guessed with it.
 */
const SAMPLES_PER_PAIR = 4.5;

/** The estimate for a run with these parameters, from its beginning; a run that is resumed is told its earlier events first. */
export function estimateRun(parameters: Parameters): RunEstimate {
  const parts = partsOf(parameters);
  /** Seconds of a unit, as the last stage of that kind took them. */
  const rates = new Map<Stage, number>();
  let index = 0;
  let startedSeconds: number | undefined;
  let share = 0;
  /** The first step of the training under way, before which the reference was computed, and the last one. */
  let steps:
    | { first: { step: number; seconds: number }; last: { step: number; seconds: number }; of: number }
    | undefined;
  let sampledSeconds = 0;
  /** What a resumed run tells of its past comes all at once, without progress. */
  let isLive = false;

  const rateOf = (stage: Stage): number | undefined => {
    const known = rates.get(stage);
    if (known !== undefined) return known;
    const ofSamples = rates.get('sample') ?? rates.get('evaluate');
    return stage === 'train' && ofSamples !== undefined ? SAMPLES_PER_PAIR * ofSamples : ofSamples;
  };
  const enter = (stage: Stage, iteration: number, split: Split | undefined, nowSeconds: number) => {
    const found = parts.findIndex(
      (part) => part.stage === stage && part.iteration === iteration && part.split === split,
    );
    if (found < 0 || (found === index && startedSeconds !== undefined)) return;
    [index, startedSeconds, share, steps] = [found, nowSeconds, 0, undefined];
  };
  const leave = (stage: Stage, iteration: number, split: Split | undefined, seconds: number, now: number) => {
    const found = parts.findIndex(
      (part) => part.stage === stage && part.iteration === iteration && part.split === split,
    );
    if (found < 0) return;
    if (seconds > 0) rates.set(stage, seconds / parts[found].units);
    [index, startedSeconds, share, steps] = [found + 1, now, 0, undefined];
  };

  /** The steps of a training say most of those that are left. */
  const remainingOfSteps = (now: number): number | undefined => {
    if (!steps || steps.last.step === steps.first.step) return undefined;
    const { first, last, of } = steps;
    const ofStep = (last.seconds - first.seconds) / (last.step - first.step);
    return Math.max(0, ofStep * (of - last.step) - (now - last.seconds));
  };

  return {
    advance(event, now) {
      switch (event.type) {
        case 'progress': {
          isLive = true;
          if (event.stage !== 'evaluate' && event.stage !== 'sample') return;
          enter(event.stage, event.iteration, event.split, now);
          share = event.total > 0 ? event.done / event.total : 0;
          return;
        }
        case 'evaluated':
          leave('evaluate', event.iteration, event.split, event.seconds, now);
          return;
        case 'sampled':
          sampledSeconds = event.seconds;
          return;
        case 'scored':
          leave('sample', event.iteration, undefined, sampledSeconds + event.seconds, now);
          return;
        case 'step': {
          enter('train', event.iteration, undefined, startedSeconds ?? now);
          const last = { step: event.step, seconds: now };
          steps = { first: steps?.first ?? last, last, of: event.steps };
          return;
        }
        case 'saved': {
          const part = parts.find(
            ({ stage, iteration }) => stage === 'train' && iteration === event.iteration,
          );
          const seconds = isLive && steps && part ? now - (startedSeconds ?? now) : 0;
          leave('train', event.iteration, undefined, seconds, now);
          return;
        }
        case 'finished':
          index = parts.length;
      }
    },

    remainingSeconds(now) {
      if (!isLive) return undefined;
      const [current, ...later] = parts.slice(index);
      if (!current) return 0;
      const elapsed = now - (startedSeconds ?? now);
      const rate = rateOf(current.stage);
      // Of the first samples of all nothing else is known than what they took.
      const whole = rate === undefined ? share > 0 && elapsed / share : rate * current.units;
      if (whole === false) return undefined;
      const ofThis = (stage: Stage) =>
        rate === undefined ? guess(stage, whole / current.units) : rateOf(stage)!;
      const ahead = later.reduce((total, { stage, units }) => total + units * ofThis(stage), 0);
      return (remainingOfSteps(now) ?? Math.max(0, whole - elapsed)) + ahead;
    },
  };
}

const guess = (stage: Stage, secondsPerSample: number): number =>
  secondsPerSample * (stage === 'train' ? SAMPLES_PER_PAIR : 1);

/** What a run does that takes time, in its order. */
function partsOf(parameters: Parameters): Part[] {
  const { trainPrompts, testPrompts, numEval, sampleSize, iterations, pairsPerPrompt } = parameters;
  const { epochs, validationShare } = parameters;
  const evaluate = (iteration: number): Part[] => [
    { stage: 'evaluate', iteration, split: 'train', units: trainPrompts * numEval },
    { stage: 'evaluate', iteration, split: 'test', units: testPrompts * numEval },
  ];
  const pairs = trainPrompts * Math.min(pairsPerPrompt, Math.floor(sampleSize / 2));
  const ofIteration = (iteration: number): Part[] => [
    { stage: 'sample', iteration, units: trainPrompts * sampleSize },
    { stage: 'train', iteration, units: pairs * (1 - validationShare) * epochs },
    ...evaluate(iteration),
  ];
  return [...evaluate(ORIGINAL), ...Array.from({ length: iterations }, (_, k) => ofIteration(k)).flat()];
}
