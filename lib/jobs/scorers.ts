import { pathFromEnvironment } from '../checkpoint/environment.js';
import type { Codec } from '../codec/codec.js';
import { CpuDevice, type Device } from '../engine/index.js';
import type { GuardName, SamplesWork } from '../farm/terms.js';
import type { OnNotice } from '../notice.js';
import { isPlainError } from '../plain-error.js';
import { openParts, releaseAll, type Release } from '../release.js';
import { opinionModelsOf } from '../reward/built-in.js';
import { openByName } from '../reward/by-name.js';
import { rewardFailure } from '../experiment/score.js';
import { fidelityGuard, levelGuard, opinionGuard, wordGuard, type Guard } from '../reward/guard.js';
import type { Reward } from '../reward/reward.js';
import { openOpinionScorer, opinionModels, type OpinionScorer } from '../scoring/opinion.js';
import { openTranscriber, type Transcriber } from '../scoring/transcribe.js';
import { namedCombination, type NamedParameters, type Parameters } from '../run/parameters.js';

/** Whether NISQA and DNSMOS run on a run's device: on a GPU by CUDA. Beside any other they have CPU threads of their own. */
export const runsScorers = (device: Device): boolean => device.name === 'cuda';

/** The device of NISQA and DNSMOS; of the CPU it has one thread, beside those that sample and make audio. */
function openScorersDevice(device: Device | undefined, opened: Release[]): Device {
  if (device && runsScorers(device)) return device;
  const own = new CpuDevice(1);
  opened.push(() => own.close());
  return own;
}

/** What samples are scored by. */
export interface OpenReward extends AsyncDisposable {
  reward: Reward;
}

/** What a run's samples are scored and guarded by. */
export interface Scorers extends OpenReward {
  guards: readonly Guard[];
  /** Guards that cannot be had, a sentence each. */
  notices: string[];
}

/** What takes the place of what the parameters name. */
export interface GivenRewards {
  reward?: Reward;
  /** A person's own rewards that the parameters name, alone or beside others. */
  rewards?: readonly Reward[];
}

/** Opens the reward that is given or that the parameters name, and has it check itself. */
async function openChecked(
  parameters: NamedParameters,
  { reward: given, rewards: own }: GivenRewards,
  device: Device,
  onNotice?: OnNotice,
): Promise<Reward> {
  const combination = namedCombination(parameters);
  const reward = given ?? (await openByName({ ...parameters, combination }, { device, own, onNotice }));
  await checkItself(reward);
  return reward;
}

/**
 * Opens the reward that the parameters name, unless one is given.
 *
 * @param options.device the run's, see {@link runsScorers}
 * @throws Error when the reward's network is not at hand, saying how to provide it, or the reward's own check fails
 */
export function openReward(
  parameters: NamedParameters,
  given: GivenRewards = {},
  { device: runs, onNotice }: { device?: Device; onNotice?: OnNotice } = {},
): Promise<OpenReward> {
  return openParts(async (opened) => {
    const device = openScorersDevice(runs, opened);
    const reward = await openChecked(parameters, given, device, onNotice);
    return { reward, [Symbol.asyncDispose]: () => releaseAll(opened) };
  });
}

/**
 * Opens the reward and the guards that the parameters name, all opinion scores on one device.
 *
 * @param codec gives sources and targets back as it gives back the samples
 * @param own takes the place of what the parameters name; its device is the run's
 * @throws Error as `openReward`; a guard that cannot be had gives a notice instead
 */
export function openScorers(
  parameters: Parameters,
  codec: Codec,
  own: GivenRewards & { guards?: readonly Guard[]; device?: Device; onNotice?: OnNotice } = {},
): Promise<Scorers> {
  return openParts(async (opened) => {
    const device = openScorersDevice(own.device, opened);
    const closing = { [Symbol.asyncDispose]: () => releaseAll(opened) };
    const { onNotice } = own;
    const reward = await openChecked(parameters, own, device, onNotice);
    if (own.guards) return { reward, guards: own.guards, notices: [], ...closing };
    const notices: string[] = [];
    const guards: Guard[] = [];
    if (parameters.guard || parameters.guardPairs) {
      const scorers = await openSecondScorers(parameters, { device, onNotice }, notices);
      guards.push(...scorers.map(opinionGuard), fidelityGuard(codec));
      const transcriber = parameters.guard
        ? await openNamedTranscriber(parameters, notices, onNotice)
        : undefined;
      if (transcriber) {
        opened.push(() => transcriber.dispose());
        guards.push(wordGuard(transcriber.transcribe, codec));
      }
      guards.push(levelGuard);
    }
    return { reward, guards, notices, ...closing };
  });
}

/** @throws Error in one sentence when the reward says that it cannot score */
async function checkItself(reward: Reward): Promise<void> {
  await reward.check?.().catch((error: unknown) => {
    throw rewardFailure(`the ${reward.name} reward cannot score`, error);
  });
}

/** Reward and guards by name, as a run tells its workers. */
export type NamedScorers = Pick<SamplesWork, 'reward' | 'guards' | 'transcriber'>;

/**
 * Opens a run's reward and guards for a worker: those very ones, in the run's order.
 *
 * @param options.own those of the run's rewards that are a person's own
 * @throws Error as `openReward`, for what any of them lacks
 */
export function openNamedScorers(
  { reward: named, guards: names, transcriber }: NamedScorers,
  codec: Codec | undefined,
  options: { own?: readonly Reward[]; device: Device; onNotice?: OnNotice },
): Promise<Omit<Scorers, 'notices'>> {
  return openParts(async (opened) => {
    const device = openScorersDevice(options.device, opened);
    const { onNotice } = options;
    const reward = await openByName({ ...named, reward: named.name }, { device, own: options.own, onNotice });
    await checkItself(reward);
    const open = async (name: GuardName): Promise<Guard> => {
      if (name === 'level') return levelGuard;
      if (!codec) throw new TypeError(`the guard ${name} listens, and no codec is open`);
      if (name === 'fidelity') return fidelityGuard(codec);
      if (name !== 'wer') return opinionGuard(await openOpinionScorer(name, { device, onNotice }));
      const { transcribe, dispose } = await openTranscriber({ model: transcriber!, onNotice });
      opened.push(() => dispose());
      return wordGuard(transcribe, codec);
    };
    const guards: Guard[] = [];
    for (const name of names) guards.push(await open(name));
    return { reward, guards, [Symbol.asyncDispose]: () => releaseAll(opened) };
  });
}

/** The opinion scores that are not trained on. */
async function openSecondScorers(
  parameters: Parameters,
  options: { device: Device; onNotice?: OnNotice },
  notices: string[],
): Promise<OpinionScorer[]> {
  const scorers: OpinionScorer[] = [];
  for (const model of opinionModels) {
    if (opinionModelsOf(parameters).includes(model)) continue;
    try {
      scorers.push(await openOpinionScorer(model, options));
    } catch (error) {
      notices.push(`no guard by ${model.toUpperCase()}: ${whatIsMissing(error)}`);
    }
  }
  return scorers;
}

/** The recognizer that is named. Unless named none is opened: it takes longer than all the rest. */
async function openNamedTranscriber(
  { transcriber }: Parameters,
  notices: string[],
  onNotice?: OnNotice,
): Promise<Transcriber | undefined> {
  const model = transcriber ?? pathFromEnvironment('WHISPER_MODEL');
  if (!model) {
    notices.push('no guard by word error rate: no recognizer is named (--transcriber or WHISPER_MODEL)');
    return undefined;
  }
  try {
    return await openTranscriber({ model, onNotice });
  } catch (error) {
    notices.push(`no guard by word error rate: ${whatIsMissing(error)}`);
    return undefined;
  }
}

/** The sentence of a plain Error, by which scorers tell what they lack; anything else is a fault, and thrown on. */
function whatIsMissing(error: unknown): string {
  if (isPlainError(error)) return error.message;
  throw error;
}
