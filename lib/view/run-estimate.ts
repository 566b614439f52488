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
type Step = Extract<RunEvent, { type: 'step' }>;
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

/** When so many samples or steps were done. */
interface Mark {
  done: number;
  atSeconds: number;
}

/** A part under way, since when, and what is known of it. */
interface Current {
  /** Among the parts of the run. */
  place: number;
  sinceSeconds?: number;
  sampled?: Mark;
  /** How long all of it takes, guessed from what is there. */
  wholeSeconds?: number;
  /** Of a training the first step, before which the reference was computed, and the last one. */
  steps?: { first: Mark; last: Mark; total: number };
}

interface State {
  parts: readonly Part[];
  current: Current;
  /** As the last stage of that kind took them. */
  secondsPerUnit: Partial<Record<Stage, number>>;
  /** Of a sample without its score, as the last stage took them. */
  secondsPerDraw?: number;
  /** What a resumed run tells of its past comes all at once, without progress. */
  isLive: boolean;
}

/** The estimate for a run with these parameters, from its beginning; a run that is resumed is told its earlier events first. */
export function estimateRun(parameters: Parameters): RunEstimate {
  let state: State = { parts: partsOf(parameters), current: { place: 0 }, secondsPerUnit: {}, isLive: false };
  return {
    advance(event, nowSeconds) {
      state = advance(state, event, nowSeconds);
    },
    remainingSeconds: (nowSeconds) => remaining(state, nowSeconds),
  };
}

function advance(state: State, event: RunEvent, nowSeconds: number): State {
  const { parts, current, secondsPerUnit } = state;
  switch (event.type) {
    case 'progress':
      return { ...state, isLive: true, current: atProgress(state, event, nowSeconds) };
    case 'evaluated':
      return leave(state, placeOf(parts, 'evaluate', event), event.seconds, nowSeconds);
    case 'sampled': {
      const { units } = parts[placeOf(parts, 'sample', event)];
      return {
        ...state,
        current: { ...current, sampled: { done: event.samples, atSeconds: nowSeconds } },
        secondsPerUnit: { ...secondsPerUnit, sample: event.seconds / units },
      };
    }
    case 'scored': {
      const place = placeOf(parts, 'sample', event);
      const samplingSeconds = (secondsPerUnit.sample ?? 0) * parts[place].units;
      return leave(state, place, samplingSeconds + event.seconds, nowSeconds);
    }
    case 'step':
      return { ...state, current: atStep(state, event, nowSeconds) };
    case 'saved':
      return leave(state, placeOf(parts, 'train', event), event.trainingSeconds ?? 0, nowSeconds);
    case 'finished':
      return { ...state, current: { place: parts.length } };
    default:
      return state;
  }
}

function atProgress({ parts, current }: State, event: Progress, nowSeconds: number): Current {
  const { stage, done, total } = event;
  if (stage === 'evaluate' || stage === 'sample') {
    const part = enter(current, placeOf(parts, stage, event), nowSeconds);
    const wholeSeconds =
      done / total >= TELLING_SHARE ? ((nowSeconds - part.sinceSeconds!) * total) / done : part.wholeSeconds;
    return { ...part, sampled: { done, atSeconds: nowSeconds }, wholeSeconds };
  }
  // Stands between two parts: it belongs to neither, and is short.
  if (stage === 'compare') return { place: current.place, sinceSeconds: nowSeconds };
  const { sinceSeconds, sampled } = current;
  if (stage !== 'score' || !sampled || done === 0) return current;
  const scoringSeconds = ((nowSeconds - sampled.atSeconds) * total) / done;
  return { ...current, wholeSeconds: sampled.atSeconds - sinceSeconds! + scoringSeconds };
}

function atStep({ parts, current }: State, event: Step, nowSeconds: number): Current {
  const part = enter(current, placeOf(parts, 'train', event), current.sinceSeconds ?? nowSeconds);
  const last = { done: event.step, atSeconds: nowSeconds };
  return { ...part, steps: { first: part.steps?.first ?? last, last, total: event.steps } };
}

/** -1 where there is no such part. */
function placeOf(parts: readonly Part[], stage: Stage, of: Pick<Part, 'iteration' | 'split'>): number {
  return parts.findIndex(
    (part) => part.stage === stage && part.iteration === of.iteration && part.split === of.split,
  );
}

/** The part at a place, which begins now unless it is already under way. */
function enter(current: Current, place: number, nowSeconds: number): Current {
  const isUnderWay = place === current.place && current.sinceSeconds !== undefined;
  return place < 0 || isUnderWay ? current : { place, sinceSeconds: nowSeconds };
}

/** The part at a place took so many seconds, 0 where that is not known; the next one begins. */
function leave(state: State, place: number, seconds: number, nowSeconds: number): State {
  if (place < 0) return state;
  const { stage, units } = state.parts[place];
  return {
    ...state,
    // After the past of a resumed run, models are opened before it goes on.
    current: { place: place + 1, ...(state.isLive && { sinceSeconds: nowSeconds }) },
    secondsPerUnit:
      seconds > 0 ? { ...state.secondsPerUnit, [stage]: seconds / units } : state.secondsPerUnit,
    secondsPerDraw: (state.isLive ? secondsOfDraw(state.current) : undefined) ?? state.secondsPerDraw,
  };
}

/** Seconds of a sample without its score in the part under way. */
function secondsOfDraw({ sinceSeconds, sampled }: Current): number | undefined {
  if (!sampled || sampled.done === 0 || sinceSeconds === undefined) return undefined;
  return (sampled.atSeconds - sinceSeconds) / sampled.done;
}

function remaining(state: State, nowSeconds: number): number | undefined {
  const { parts, current, secondsPerUnit, isLive } = state;
  if (!isLive) return undefined;
  const [part, ...later] = parts.slice(current.place);
  if (!part) return 0;
  const { wholeSeconds, sinceSeconds = nowSeconds } = current;
  const secondsPerSample =
    secondsPerUnit.evaluate ?? secondsPerUnit.sample ?? (wholeSeconds && wholeSeconds / part.units);
  if (secondsPerSample === undefined) return undefined;
  const secondsPerPair =
    SAMPLES_PER_PAIR * (state.secondsPerDraw ?? secondsOfDraw(current) ?? secondsPerSample);
  const secondsOf = ({ stage, units }: Part) =>
    units * (secondsPerUnit[stage] ?? (stage === 'train' ? secondsPerPair : secondsPerSample));
  const left =
    remainingOfSteps(current, nowSeconds) ?? Math.max(0, secondsOf(part) - (nowSeconds - sinceSeconds));
  return left + later.reduce((total, each) => total + secondsOf(each), 0);
}

/** The steps of a training say most of those that are left. */
function remainingOfSteps({ steps }: Current, nowSeconds: number): number | undefined {
  if (!steps || steps.last.done === steps.first.done) return undefined;
  const { first, last, total } = steps;
  const secondsPerStep = (last.atSeconds - first.atSeconds) / (last.done - first.done);
  return Math.max(0, secondsPerStep * (total - last.done) - (nowSeconds - last.atSeconds));
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
