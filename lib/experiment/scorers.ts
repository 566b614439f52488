import type { Codec } from '../codec/codec.js';
import { EngineHost } from '../engine/index.js';
import { evenToken } from '../reward/even-token.js';
import { fidelityGuard, levelGuard, opinionGuard, type Guard } from '../reward/guard.js';
import { length } from '../reward/length.js';
import { mosReward } from '../reward/mos.js';
import type { Reward } from '../reward/reward.js';
import {
  openOpinionScorer,
  opinionModels,
  type OpinionModel,
  type OpinionScorer,
} from '../scoring/opinion.js';
import type { Parameters } from './parameters.js';

/** What a run's samples are scored and guarded by. */
export interface Scorers {
  reward: Reward;
  /** @param codec gives sources and targets back as it gives back the samples */
  guards(codec: Codec): Guard[];
  /** Guards that cannot be had, a sentence each. */
  notices: string[];
  dispose(): Promise<void>;
}

/**
 * Opens the reward and the guards that the parameters name. Their networks run in a worker of their own, beside the engine's that samples and
 * makes audio.
 *
 * @throws Error when the reward's network is not at hand, saying how to provide it; a guard's gives a notice instead
 */
export async function openScorers(parameters: Parameters): Promise<Scorers> {
  const host = new EngineHost(1);
  try {
    const notices: string[] = [];
    const reward = await openReward(parameters, host);
    const scorers = await openGuardScorers(parameters, host, notices);
    return {
      reward,
      guards: (codec) =>
        guardsWanted(parameters) ? [...scorers.map(opinionGuard), fidelityGuard(codec), levelGuard] : [],
      notices,
      dispose: () => host.close(),
    };
  } catch (error) {
    await host.close();
    throw error;
  }
}

async function openReward({ reward, rewardModel }: Parameters, host: EngineHost): Promise<Reward> {
  switch (reward) {
    case 'even-token':
      return evenToken;
    case 'length':
      return length;
    case 'mos':
      return mosReward(await openOpinionScorer(rewardModel, host));
  }
}

function guardsWanted({ guard, guardPairs }: Parameters): boolean {
  return guard || guardPairs;
}

/** The opinion scores that are not trained on. */
async function openGuardScorers(
  parameters: Parameters,
  host: EngineHost,
  notices: string[],
): Promise<OpinionScorer[]> {
  if (!guardsWanted(parameters)) return [];
  const isTrainedOn = (model: OpinionModel) =>
    parameters.reward === 'mos' && parameters.rewardModel === model;
  const scorers: OpinionScorer[] = [];
  for (const model of opinionModels.filter((model) => !isTrainedOn(model))) {
    try {
      scorers.push(await openOpinionScorer(model, host));
    } catch (error) {
      notices.push(
        `without a guard by ${model === 'nisqa' ? 'NISQA' : 'DNSMOS'}: ${(error as Error).message}`,
      );
    }
  }
  return scorers;
}
