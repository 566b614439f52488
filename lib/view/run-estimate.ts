/** How long a run will take: guessed from its first samples, and better known with every stage that is over. */
import { ORIGINAL, type RunEvent, type Split } from '../run/events.js';
import type { Parameters } from '../run/parameters.js';

export interface RunEstimate {
  /** To be told of every event, with the time on a clock that only moves forward. */
  advance(event: RunEvent, nowSeconds: number): void;
  /** Until the run is finished; undefined before there is anything to guess from. */
  remainingSeconds(nowSeconds: number): number | undefined;
}

type Progress = Extract<RunEvent, { type: 'progress' }>;
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

/** Samples of a stage that must be there before it is guessed how long it takes: they are drawn side by side, and the first one is late. */
const TELLING_SHARE = 0.5;

/** When a number of steps was done. */
interface Mark {
  done: number;
  seconds: number;
}

/** The estimate for a run with these parameters, from its beginning; a run that is resumed is told its earlier events first. */
export function estimateRun(parameters: Parameters): RunEstimate {
  const parts = partsOf(parameters);
  /** Seconds of a unit, as the last stage of that kind took them. */
  const rates = new Map<Stage, number>();
  /** Seconds of a sample without its score, as the last stage took them. */
  let samplingRate: number | undefined;
  /** What a resumed run tells of its past comes all at once, without progress. */
  let isLive = false;

  /** The part under way, since when, and what is known of it. */
  let index = 0;
  let startedSeconds: number | undefined;
  let sampled: Mark | undefined;
  let whole: number | undefined;
  /** Of a training the first step, before which the reference was computed, and the last one. */
  let steps: { first: Mark; last: Mark; of: number } | undefined;

  const find = (stage: Stage, iteration: number, split?: Split) =>
    parts.findIndex((part) => part.stage === stage && part.iteration === iteration && part.split === split);
  const begin = (next: number, nowSeconds: number | undefined) => {
    index = next;
    startedSeconds = nowSeconds;
    sampled = whole = steps = undefined;
  };
  const enter = (next: number, nowSeconds: number) => {
    if (next >= 0 && (next !== index || startedSeconds === undefined)) begin(next, nowSeconds);
  };
  const leave = (stage: Stage, place: number, seconds: number, nowSeconds: number) => {
    if (place < 0) return;
    const { units } = parts[place];
    if (seconds > 0) rates.set(stage, seconds / units);
    if (isLive && sampled && sampled.done > 0 && startedSeconds !== undefined)
      samplingRate = (sampled.seconds - startedSeconds) / sampled.done;
    begin(place + 1, nowSeconds);
  };

  function advanceProgress({ stage, iteration, split, done, total }: Progress, now: number): void {
    isLive = true;
    if (stage === 'evaluate' || stage === 'sample') {
      enter(find(stage, iteration, split), now);
      sampled = { done, seconds: now };
      if (done / total >= TELLING_SHARE) whole = ((now - startedSeconds!) * total) / done;
    } else if (stage === 'score' && sampled && done > 0) {
      whole = sampled.seconds - startedSeconds! + ((now - sampled.seconds) * total) / done;
    }
  }

  /** The steps of a training say most of those that are left. */
  const remainingOfSteps = (now: number): number | undefined => {
    if (!steps || steps.last.done === steps.first.done) return undefined;
    const { first, last, of } = steps;
    const ofStep = (last.seconds - first.seconds) / (last.done - first.done);
    return Math.max(0, ofStep * (of - last.done) - (now - last.seconds));
  };

  return {
    advance(event, now) {
      switch (event.type) {
        case 'progress':
          advanceProgress(event, now);
          return;
        case 'evaluated':
          leave('evaluate', find('evaluate', event.iteration, event.split), event.seconds, now);
          return;
        case 'sampled':
          sampled = { done: event.samples, seconds: now };
          rates.set('sample', event.seconds / parts[find('sample', event.iteration)].units);
          return;
        case 'scored': {
          const place = find('sample', event.iteration);
          leave('sample', place, (rates.get('sample') ?? 0) * parts[place].units + event.seconds, now);
          return;
        }
        case 'step': {
          enter(find('train', event.iteration), startedSeconds ?? now);
          const last = { done: event.step, seconds: now };
          steps = { first: steps?.first ?? last, last, of: event.steps };
          return;
        }
        case 'saved':
          leave('train', find('train', event.iteration), isLive && steps ? now - startedSeconds! : 0, now);
          return;
        case 'finished':
          index = parts.length;
      }
    },

    remainingSeconds(now) {
      if (!isLive) return undefined;
      const [current, ...later] = parts.slice(index);
      if (!current) return 0;
      const ofSample = rates.get('evaluate') ?? rates.get('sample') ?? (whole && whole / current.units);
      if (ofSample === undefined) return undefined;
      const ofSampling =
        samplingRate ??
        (sampled && sampled.done > 0 ? (sampled.seconds - startedSeconds!) / sampled.done : ofSample);
      const guessed = { evaluate: ofSample, sample: ofSample, train: SAMPLES_PER_PAIR * ofSampling };
      const secondsOf = ({ stage, units }: Part) => units * (rates.get(stage) ?? guessed[stage]);
      const elapsed = now - (startedSeconds ?? now);
      const left = remainingOfSteps(now) ?? Math.max(0, secondsOf(current) - elapsed);
      return left + later.reduce((total, part) => total + secondsOf(part), 0);
    },
  };
}

/** What a run does that takes time, in its order. */
function partsOf(parameters: Parameters): Part[] {
  const { trainPrompts, testPrompts, numEval, sampleSize, iterations, pairsPerPrompt } = parameters;
  const { reuseEvaluation, syntheticFirstIteration, epochs, validationShare } = parameters;
  const evaluate = (iteration: number): Part[] => [
    { stage: 'evaluate', iteration, split: 'train', units: trainPrompts * numEval },
    { stage: 'evaluate', iteration, split: 'test', units: testPrompts * numEval },
  ];
  // Pairs that are made up are one for each prompt.
  const ofPrompt = syntheticFirstIteration ? 1 : Math.min(pairsPerPrompt, Math.floor(sampleSize / 2));
  const pairs = trainPrompts * ofPrompt;
  const sample = (iteration: number): Part[] =>
    reuseEvaluation || syntheticFirstIteration
      ? []
      : [{ stage: 'sample', iteration, units: trainPrompts * sampleSize }];
  const ofIteration = (iteration: number): Part[] => [
    ...sample(iteration),
    { stage: 'train', iteration, units: pairs * (1 - validationShare) * epochs },
    ...evaluate(iteration),
  ];
  return [...evaluate(ORIGINAL), ...Array.from({ length: iterations }, (_, k) => ofIteration(k)).flat()];
}
