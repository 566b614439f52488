/** Opens what a job works on: a policy, a model that samples and speaks, prompts. Where something fails on the way, nothing stays open. */
import { checkSavedWeights } from '../checkpoint/checksums.js';
import type { Codec } from '../codec/codec.js';
import { openCodec } from '../codec/open.js';
import { CpuDevice, type ChosenDevice, type Device } from '../engine/index.js';
import { namedLoss } from '../dpo/losses/named.js';
import { checkStepFits, type Longest } from '../dpo/step-room.js';
import type { Parameters } from '../run/parameters.js';
import { mergeAdapter } from '../policy/lora.js';
import { openPartner, type Partner } from '../policy/partner.js';
import { loadPolicy, type Policy } from '../policy/policy.js';
import { checkUploadable } from '../policy/resident-weights.js';
import { openSampler, type Sampler } from '../policy/sample.js';
import { openParts, releaseAll, type Release } from '../release.js';
import type { RunDevice } from '../run/run-files.js';
import { runsScorers } from './scorers.js';
import { checkSameCodes, findModelPart, type Fetching, type ModelSources } from './sources.js';

/**
 * Where a job computes: what `chooseDevice` gives, or any device; default: a CPU device of its own. Whoever gives a device closes it; `reason`
 * and `tf32` are what the log and run.json say of it.
 */
export type GivenDevice = Partial<Pick<ChosenDevice, 'device' | 'reason' | 'tf32'>>;

/** A device that is closed when it was opened here, and not when it was given. */
export interface OpenDevice extends AsyncDisposable {
  device: Device;
  computing: RunDevice;
}

export function openDevice({ device: given, reason, tf32 = false }: GivenDevice): OpenDevice {
  if (given && typeof given.compile !== 'function')
    throw new Error(
      'the device that is given is none: new CpuDevice() makes one, or chooseDevice by a name; without it the CPU computes',
    );
  const device = given ?? new CpuDevice();
  const computing = computingOn({ device, reason: reason ?? (given ? 'given' : 'none is given'), tf32 });
  return { device, computing, [Symbol.asyncDispose]: async () => (given ? undefined : device.close()) };
}

/** What the log and run.json say of a device. */
export function computingOn({ device, reason, tf32 }: Required<GivenDevice>): RunDevice {
  const { name, description } = device;
  const scorers = name === 'cpu' || runsScorers(device) ? undefined : 'the CPU';
  return { name, description, reason, ...(tf32 && { tf32 }), ...(scorers && { scorers }) };
}

/** A policy that can be sampled. */
export interface SamplingModel extends AsyncDisposable {
  policy: Policy;
  /** Of `policy`. */
  sampler: Sampler;
}

/** A model whose completions can be heard. */
export interface SpeakingModel extends SamplingModel {
  /** Writes codebooks 1 and up from codebook 0. */
  partner: Partner;
  codec: Codec;
}

export interface ModelOptions extends Fetching {
  /** Where it is sampled, and sound is made. */
  device: Device;
  /** Whether completions are to be heard: opens partner and codec too. */
  speaks: boolean;
  /** Samples the policy in place of the engine; it is released with the model. */
  sampler?: (policy: Policy) => Sampler;
  /** In place of the codec that the sources name. Whoever gives it disposes of it. */
  codec?: Codec;
}

/**
 * Reads the policy that the sources name.
 *
 * @throws Error in one sentence for a policy that is not there or cannot be used, that is a partner, or whose weights are not as they
 *   were saved
 */
export async function openPolicy(sources: ModelSources, fetching: Fetching = {}): Promise<Policy> {
  const policy = await loadPolicy(await findModelPart(sources, 'policy', fetching), undefined, fetching);
  await checkSavedWeights(policy.directory);
  if (policy.architecture.partner?.isPartner(policy.config))
    throw new Error(
      `${policy.directory} holds a partner, which writes codebooks 1 and up, and no policy, which writes codebook 0: give the folder of a policy as --policy, and this one as --nar.`,
    );
  return policy;
}

/**
 * Says before anything is sampled that a training's batches do not fit into the device's memory.
 *
 * @param longest ids of the longest prompt and completion; no completion is longer than the model's positions allow
 * @throws Error in one sentence that says what would fit
 */
export function checkTrainingFits(
  policy: Policy,
  parameters: Parameters,
  { prompt, completion }: Longest,
  device: Device,
): void {
  const positions = policy.architecture.completionPositions(policy.config, prompt);
  const longest = { prompt, completion: Math.min(completion, positions) };
  checkStepFits(policy, parameters.batchSize, longest, namedLoss(parameters), device);
}

/**
 * Opens a policy for sampling, with the sources' partner and codec where it `speaks`.
 *
 * @throws Error in one sentence for a part that is not there, cannot be used, or does not go with the others
 */
export function openModel(
  policy: Policy,
  sources: ModelSources,
  options: ModelOptions & { speaks: true },
): Promise<SpeakingModel>;
export function openModel(
  policy: Policy,
  sources: ModelSources,
  options: ModelOptions,
): Promise<SamplingModel & Partial<SpeakingModel>>;
export function openModel(
  policy: Policy,
  sources: ModelSources,
  options: ModelOptions,
): Promise<SamplingModel & Partial<SpeakingModel>> {
  return openParts(async (opened) => {
    const speech = options.speaks ? await openSpeech(sources, policy, options, opened) : {};
    const sampler = options.sampler
      ? openOwnSampler(options.sampler, policy)
      : openSampler(policy, options.device, sources);
    opened.push(() => sampler.release());
    return { policy, sampler, ...speech, [Symbol.asyncDispose]: () => releaseAll(opened) };
  });
}

/** @throws Error in one sentence for what is no function that makes a sampler, as a program in JavaScript may give it */
function openOwnSampler(open: (policy: Policy) => Sampler, policy: Policy): Sampler {
  const sampler = typeof open === 'function' ? open(policy) : undefined;
  if (typeof sampler?.sample === 'function' && typeof sampler.release === 'function') return sampler;
  throw new Error(
    'the sampler that is given cannot be used: it must be a function that makes an object { sample, release } of a policy',
  );
}

async function openSpeech(
  sources: ModelSources,
  policy: Policy,
  options: Omit<ModelOptions, 'speaks'>,
  opened: Release[],
): Promise<Pick<SpeakingModel, 'partner' | 'codec'>> {
  const { device, signal, onNotice } = options;
  const fetching = { signal, onNotice };
  const partnerModel = mergeAdapter(
    await loadPolicy(await findModelPart(sources, 'nar', fetching), undefined, fetching),
  );
  if (partnerModel.architecture.partner?.isPartner(partnerModel.config) === false)
    throw new Error(
      `${partnerModel.directory} holds a policy, which writes codebook 0, and no partner, which writes codebooks 1 and up: give the folder of a partner as --nar (its config.json says "partner": true), and this one as --policy.`,
    );
  checkUploadable(partnerModel.weights, device);
  const codec =
    options.codec ??
    (await openCodec(await findModelPart(sources, 'codec', fetching), device, {
      codebooks: policy.tokenizer.codebooks,
    }));
  if (!options.codec) opened.push(() => codec.dispose());
  else if (typeof codec.decode !== 'function' || !(codec.sampleRateHz > 0))
    throw new Error(
      'the codec that is given cannot be used: it must have a function decode, and a sampleRateHz above 0',
    );
  checkSameCodes(policy, partnerModel, codec);
  const partner = openPartner(partnerModel, device, sources);
  opened.push(() => partner.dispose());
  return { partner, codec };
}
