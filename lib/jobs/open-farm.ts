/** Opens the farm of a run whose samples workers draw and score. */
import type { CheckedRun } from '../experiment/check-scored.js';
import type { Run } from '../experiment/run.js';
import { describeFolder, type FolderManifest } from '../farm/files/manifest.js';
import { offerWork } from '../farm/offer-work.js';
import type { GivenWorkers } from '../farm/option.js';
import { connectQueue, type QueueConnection } from '../farm/queue.js';
import { createQueueFarm } from '../farm/queue-farm.js';
import { comparableVersions, kindOf, nameOfGuard, type SamplesTerms } from '../farm/terms.js';
import type { OnNotice } from '../notice.js';
import type { RunWorkers } from '../run/run-files.js';
import { isBuiltIn, networksOf } from '../reward/built-in.js';
import { isOpenedByName } from '../reward/by-name.js';
import { combinationOf } from '../reward/combine.js';
import { joinNames, type Combination } from '../reward/combination.js';
import { originOf } from '../reward/load.js';
import { isWordReward } from '../reward/words.js';
import { hashesOfWeights, scoringNetworks } from '../scoring/networks.js';
import { hashTranscriber } from '../scoring/transcribe.js';
import { isAdapterFolder } from '../policy/adapter-folder.js';
import { recognizerOf } from './scorers.js';
import { findModelPart } from './sources.js';

/** What workers are told of. */
type Farmed = Pick<Run, 'parameters' | 'device' | 'reward' | 'policy'> &
  Partial<Pick<Run, 'partner' | 'guards'>>;

/** The queue of a run, and what its workers must be. */
export interface OpenQueue extends AsyncDisposable {
  connection: QueueConnection;
  terms: SamplesTerms;
  given: GivenWorkers;
}

/**
 * Connects with the queue and says what workers must be, before anything is written.
 *
 * @returns undefined where no workers are asked for
 * @throws Error in one sentence when the queue cannot be had, or what is given to the run cannot reach workers
 */
export async function openQueue(
  run: Farmed,
  given: GivenWorkers & {
    sampler?: unknown;
    codec?: unknown;
    guards?: unknown;
    onNotice?: OnNotice;
    signal?: AbortSignal;
  },
): Promise<OpenQueue | undefined> {
  const { workers } = given;
  if (workers === undefined) return undefined;
  for (const part of ['sampler', 'codec', 'guards'] as const)
    if (given[part] !== undefined)
      throw new Error(
        `${part === 'guards' ? 'guards' : `a ${part}`} of your own cannot be sent to workers: run without --workers, or without ${part} of your own`,
      );
  const terms = await termsOf(run, given);
  const connection = await connectQueue(workers, { onNotice: given.onNotice });
  return { connection, terms, given, [Symbol.asyncDispose]: () => connection.close() };
}

/**
 * What the workers of a run must be, and what they do.
 *
 * @throws Error in one sentence when what is given to the run cannot reach workers
 */
export async function termsOf(
  { parameters, device, reward, policy, partner, guards = [] }: Farmed,
  { allowMixed, signal, onNotice }: GivenWorkers & { signal?: AbortSignal; onNotice?: OnNotice },
): Promise<SamplesTerms> {
  const { temperature, topK, topP, maxNewTokens, int8, rewardModel, transcriber } = parameters;
  const combined = combinationOf(reward);
  const parts = (combined?.parts ?? [reward]).map((part) => {
    const isNamed = isOpenedByName(part) || (!combined && isBuiltIn(part.name));
    const sha256 = isNamed ? undefined : originOf(part);
    if (!isNamed && sha256 === undefined)
      throw new Error(
        `the reward ${part.name} is an object of this process, which cannot be sent to workers: put it into a file, load it by loadReward('./${part.name}.mjs'), and start each worker with --reward and that file`,
      );
    return { name: part.name, ...(sha256 !== undefined && { sha256 }) };
  });
  const folder = async (part: 'nar' | 'codec') => {
    const path = await findModelPart(parameters, part, { signal, onNotice });
    if (await isAdapterFolder(path))
      throw new Error(
        `${path} is an adapter, and workers take one for the policy only: merge it first, as npx speech-dpo merge ${path} --output FOLDER, and give FOLDER as --nar`,
      );
    return describeFolder(path);
  };
  const names = guards.map((guard) => nameOfGuard(guard)!);
  const byName = parts.filter(({ sha256 }) => sha256 === undefined).map(({ name }) => name);
  const rewarding = networksOf({ reward: joinNames(byName), rewardModel });
  const scoring = scoringNetworks.filter(
    (network) => rewarding.includes(network) || names.some((guard) => guard === network),
  );
  const hears = names.includes('wer') || byName.some(isWordReward);
  const recognizer = hears ? (recognizerOf({ transcriber }) ?? null) : null;
  return {
    versions: await comparableVersions(),
    computes: allowMixed ? null : await kindOf(device),
    scorers: {
      ...(await hashesOfWeights(scoring)),
      ...(recognizer !== null && { transcriber: await hashTranscriber(recognizer) }),
    },
    work: {
      kind: 'samples',
      rules: { temperature, topK, topP, maxNewTokens },
      int8,
      ...(policy.baseDirectory !== undefined && { base: await describeFolder(policy.baseDirectory) }),
      speech: partner ? { partner: await folder('nar'), codec: await folder('codec') } : null,
      reward: combined
        ? { name: reward.name, rewardModel, parts, combination: toPlain(combined.combination) }
        : { ...parts[0], rewardModel },
      guards: names,
      transcriber: recognizer,
    },
  };
}

/** As it is sent. */
const toPlain = ({ how, weights, steps, normalize }: Combination) => ({
  how,
  ...(weights && { weights: [...weights] }),
  ...(steps && { steps: [...steps] }),
  normalize,
});

/** Whether the run is over is said when it ends. */
export interface OpenFarm extends AsyncDisposable {
  farm: NonNullable<Run['farm']>;
  /** What run.json says of the workers' queue. */
  workers: Pick<RunWorkers, 'address' | 'mixed'>;
  /** Results that are in the queue are of no more use. */
  setOver(): void;
}

/**
 * Announces work, serves its models and farms its samples out.
 *
 * @param place what is written, a folder or a file: by it a run is known again when it is resumed
 * @param policy the folder that the policy was read from, or saved to last
 * @returns undefined where no workers are asked for
 */
export async function openFarm(
  queue: OpenQueue | undefined,
  run: CheckedRun & Pick<Run, 'clock' | 'signal'>,
  place: string,
  policy: string,
): Promise<OpenFarm | undefined> {
  if (!queue) return undefined;
  const { connection, terms, given } = queue;
  const work = await offerWork(connection, { terms, place, serveAt: given.serveAt, signal: run.signal });
  const { dispatcher, server } = work;
  const { base, speech } = terms.work;
  for (const part of [...Object.values(speech ?? {}), ...(base ? [base] : [])]) server.offer(part);
  const onPolicy = (policy: FolderManifest, before?: FolderManifest) => {
    if (before && before.hash !== base?.hash) server.withdraw(before.hash);
    server.offer(policy);
  };
  const farm = createQueueFarm(run, { dispatcher, terms, policy, onPolicy, onCounts: work.tell });
  return {
    farm,
    workers: { address: connection.address, mixed: given.allowMixed ?? false },
    setOver: work.setOver,
    [Symbol.asyncDispose]: () => work[Symbol.asyncDispose](),
  };
}
