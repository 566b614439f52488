import { pathFromEnvironment } from '../checkpoint/environment.js';
import type { Codec } from '../codec/codec.js';
import { CpuDevice, type Device } from '../engine/index.js';
import type { SamplesWork } from '../farm/terms.js';
import type { OnNotice } from '../notice.js';
import { openParts, releaseAll, type Release } from '../release.js';
import { hearsWords } from '../reward/built-in.js';
import { openByName, type NamedRewards } from '../reward/by-name.js';
import type { Decoder } from '../reward/decoder.js';
import { rewardFailure } from '../experiment/score.js';
import type { Guard } from '../reward/guard.js';
import type { Reward } from '../reward/reward.js';
import type { Transcribe } from '../reward/spoken-words.js';
import { openTranscriber } from '../scoring/transcribe.js';
import type { Parameters } from '../run/parameters.js';
import { openGuard, openGuards } from './guards.js';
import { namedCombination, type NamedParameters } from '../run/reward-parameters.js';

/** Whether the networks that score run on a run's device: on a GPU by CUDA. Beside any other they have CPU threads of their own. */
export const runsScorers = (device: Device): boolean => device.name === 'cuda';

/** The device of the networks that score; of the CPU it has one thread, beside those that sample and make audio. */
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

interface RewardOptions {
  /** The run's, see {@link runsScorers}. */
  device?: Device;
  /** The run's, open once the first sample comes. */
  codec?: () => Decoder | undefined;
  /** Ends a recognizer that is a process of its own. */
  signal?: AbortSignal;
  onNotice?: OnNotice;
}

/**
 * Opens the reward that the parameters name, unless one is given.
 *
 * @param options.device the run's, see {@link runsScorers}
 * @throws Error when the reward's network or recognizer is not at hand, saying how to provide it, or the reward's own check fails
 */
export function openReward(
  parameters: NamedParameters,
  given: GivenRewards = {},
  options: RewardOptions = {},
): Promise<OpenReward> {
  return openParts(async (opened) => {
    const device = openScorersDevice(options.device, opened);
    const reward = await openChecked(parameters, given, { ...options, device }, opened);
    return { reward, [Symbol.asyncDispose]: () => releaseAll(opened) };
  });
}

/** Opens the reward that is given or that the parameters name, and has it check itself. */
async function openChecked(
  parameters: NamedParameters,
  { reward: given, rewards: own }: GivenRewards,
  options: RewardOptions & { device: Device },
  opened: Release[],
): Promise<Reward> {
  const combination = namedCombination(parameters);
  const reward = given ?? (await openNamed({ ...parameters, combination }, own, options, opened));
  await checkItself(reward, options.onNotice);
  return reward;
}

function openNamed(
  named: NamedRewards & Partial<Pick<Parameters, 'transcriber'>>,
  own: readonly Reward[] | undefined,
  { device, codec, signal, onNotice }: RewardOptions & { device: Device },
  opened: Release[],
): Promise<Reward> {
  const openRecognizer = async () => {
    const model = recognizerOf(named);
    if (!model)
      throw new Error(
        `the reward ${named.reward} compares words with what a recognizer hears, and none is named: name one with --transcriber (transcriber in a notebook) or WHISPER_MODEL, for example faster-whisper`,
      );
    const { transcribe, dispose } = await openTranscriber({ model, signal, onNotice });
    opened.push(() => dispose());
    return transcribe;
  };
  let recognizer: Promise<Transcribe> | undefined;
  const decoder = () => {
    const open = codec?.();
    if (!open) throw new TypeError(`the reward ${named.reward} listens, and no codec is open`);
    return open;
  };
  const options = {
    device,
    own,
    recognizer: () => (recognizer ??= openRecognizer()),
    codec: decoder,
    onNotice,
  };
  return openByName(named, options);
}

/** The recognizer that the parameters name, else WHISPER_MODEL; undefined where neither does. */
export const recognizerOf = ({ transcriber }: Partial<Pick<Parameters, 'transcriber'>>): string | undefined =>
  transcriber ?? pathFromEnvironment('WHISPER_MODEL');

/**
 * The parameters with the recognizer that a reward of words asks, also where WHISPER_MODEL names it: it is kept with what it scored, and
 * a run goes on with it.
 */
export function withRecognizer(parameters: Parameters): Parameters {
  if (!hearsWords(parameters.reward)) return parameters;
  return { ...parameters, transcriber: recognizerOf(parameters) ?? null };
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
  own: GivenRewards & { guards?: readonly Guard[] } & Omit<RewardOptions, 'codec'> = {},
): Promise<Scorers> {
  return openParts(async (opened) => {
    const device = openScorersDevice(own.device, opened);
    const closing = { [Symbol.asyncDispose]: () => releaseAll(opened) };
    const { signal, onNotice } = own;
    const options = { device, codec: () => codec, signal, onNotice };
    const reward = await openChecked(parameters, own, options, opened);
    if (own.guards && !(Array.isArray(own.guards) && own.guards.every(isGuard)))
      throw new Error(
        'the guards that are given cannot be used: they must be a list of objects { figures, measure }; guard: true in the parameters opens the usual ones',
      );
    if (own.guards) return { reward, guards: own.guards, notices: [], ...closing };
    const transcriber = recognizerOf(parameters);
    const guarding = { device, transcriber, signal, onNotice };
    return { reward, ...(await openGuards(parameters, codec, guarding, opened)), ...closing };
  });
}

/** Longer than most checks take. */
const PATIENCE_MS = 10_000;

/**
 * Whoever waits for long is told what for.
 *
 * @throws Error in one sentence when the reward says that it cannot score
 */
async function checkItself(reward: Reward, onNotice?: OnNotice): Promise<void> {
  const seconds = PATIENCE_MS / 1000;
  const tell = () =>
    onNotice?.(
      `the ${reward.name} reward is not done with its check() after ${seconds} seconds; it is waited for.`,
    );
  const timer = setTimeout(tell, PATIENCE_MS).unref();
  try {
    await reward.check?.();
  } catch (error) {
    throw rewardFailure(`the ${reward.name} reward cannot score`, error);
  } finally {
    clearTimeout(timer);
  }
}

function isGuard(value: Guard | undefined): boolean {
  return Array.isArray(value?.figures) && typeof value.measure === 'function';
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
    const opening = { device, codec: () => codec, onNotice };
    const rewards = { ...named, reward: named.name, transcriber };
    const reward = await openNamed(rewards, options.own, opening, opened);
    await checkItself(reward, onNotice);
    const guards: Guard[] = [];
    for (const name of names)
      guards.push(await openGuard(name, codec, { device, transcriber, onNotice }, opened));
    return { reward, guards, [Symbol.asyncDispose]: () => releaseAll(opened) };
  });
}
