import type { FleetStatus, RunEvent } from '../run/events.js';
import { countWorkers } from './fleet.js';
import { formatDuration, formatNumber } from '../format.js';
import { policyName, splitName } from './run-events.js';

type Stage = Extract<RunEvent, { type: 'progress' }>['stage'];

/** Where a run's current job stands, and the last loss and mean reward of the run. */
export interface ProgressState {
  /** What is being done, in words: "iteration 0: training". A job ends where this changes. */
  job: string;
  stage: Stage;
  done: number;
  total: number;
  startedSeconds: number;
  nowSeconds: number;
  /** Of the last training step. */
  loss?: number;
  /** Mean of the last evaluation or of the last samples. */
  reward?: number;
  /** The workers, while they do this job. */
  fleet?: FleetStatus;
}

/** Figures of a job as people read them; what is not known is absent. */
export interface ProgressFields {
  /** "1.2/s". */
  rate?: string;
  /** "4.2 s left". */
  remaining?: string;
  /** "run: 3 min 20 s left", of the whole run. */
  run?: string;
  /** "3 workers". */
  workers?: string;
  loss?: string;
  reward?: string;
}

export interface ProgressDescription {
  /** Units a second; undefined before the first. */
  ratePerSecond?: number;
  remainingSeconds?: number;
  fields: ProgressFields;
  /** The fields as one text, without the job's name and count: "1.2/s, 4.2 s left, loss 0.512, reward 2.75". */
  detail: string;
  /** One line: "iteration 0: training 4/9 steps, 1.2/s, 4.2 s left, loss 0.512, reward 2.75". */
  text: string;
}

const VERBS: Record<Stage, string> = {
  evaluate: 'evaluating',
  sample: 'sampling',
  score: 'scoring',
  compare: 'comparing with the original',
  train: 'training',
  decode: 'making audio',
};
const UNITS: Record<Stage, string> = {
  evaluate: 'samples',
  sample: 'samples',
  score: 'samples',
  compare: 'samples',
  train: 'steps',
  decode: 'recordings',
};

/**
 * The state after an event; the state itself is not changed.
 *
 * @param state undefined at the start of a run
 * @param nowSeconds when the event came, on any clock that only moves forward
 * @returns undefined while no job has reported
 */
export function advanceProgress(
  state: ProgressState | undefined,
  event: RunEvent,
  nowSeconds: number,
): ProgressState | undefined {
  switch (event.type) {
    case 'progress': {
      const where = event.split ? ` on ${splitName(event.split)}` : '';
      const job = `${policyName(event.iteration)}: ${VERBS[event.stage]}${where}`;
      return advanceJob(state, { job, stage: event.stage, done: event.done, total: event.total }, nowSeconds);
    }
    case 'step': {
      const job = `${policyName(event.iteration)}: ${VERBS.train}`;
      const next = advanceJob(
        state,
        { job, stage: 'train', done: event.step, total: event.steps },
        nowSeconds,
      );
      return { ...next, loss: event.metrics.loss };
    }
    case 'fleet': {
      const { type: _, ...fleet } = event;
      return state && { ...state, nowSeconds, fleet };
    }
    case 'sampled':
      return state && { ...state, nowSeconds, fleet: undefined };
    case 'evaluated':
      return state && { ...state, nowSeconds, reward: event.statistics.mean, fleet: undefined };
    case 'scored':
      return state && { ...state, nowSeconds, reward: event.averageReward, fleet: undefined };
    default:
      return state && { ...state, nowSeconds };
  }
}

/** A job's time starts where the one before it ended, or with its first event. */
function advanceJob(
  state: ProgressState | undefined,
  job: Pick<ProgressState, 'job' | 'stage' | 'done' | 'total'>,
  nowSeconds: number,
): ProgressState {
  const goesOn = state?.job === job.job;
  const startedSeconds = goesOn ? state.startedSeconds : (state?.nowSeconds ?? nowSeconds);
  return { ...state, ...job, startedSeconds, nowSeconds, ...(!goesOn && { fleet: undefined }) };
}

/** Rate, remaining time and one line of text for a progress area. */
export function describeProgress(state: ProgressState): ProgressDescription {
  const { job, stage, done, total, loss, reward, fleet } = state;
  const seconds = state.nowSeconds - state.startedSeconds;
  const ratePerSecond = done > 0 && seconds > 0 ? done / seconds : undefined;
  // Workers come and go: what they did in the last minute says more than what they did since the beginning.
  const remainingSeconds = fleet?.remainingSeconds ?? (ratePerSecond && (total - done) / ratePerSecond);
  const fields: ProgressFields = {
    ...(ratePerSecond !== undefined && {
      rate: `${formatNumber(ratePerSecond, ratePerSecond < 10 ? 1 : 0)}/s`,
    }),
    ...(remainingSeconds !== undefined &&
      done < total && { remaining: `${formatDuration(remainingSeconds)} left` }),
    ...(fleet && { workers: countWorkers(fleet) }),
    ...(loss !== undefined && { loss: `loss ${formatNumber(loss, 3)}` }),
    ...(reward !== undefined && { reward: `reward ${formatNumber(reward)}` }),
  };
  const parts = Object.values(fields);
  const text = [`${job} ${done}/${total} ${UNITS[stage]}`, ...parts].join(', ');
  return { ratePerSecond, remainingSeconds, fields, detail: parts.join(', '), text };
}
