import { once } from 'node:events';
import type { Device } from '../engine/index.js';
import type { OnNotice } from '../notice.js';
import { serveScorer } from '../reward/scorer-server.js';
import { openReward } from './scorers.js';
import type { NamedParameters } from '../run/reward-parameters.js';
import type { Reward } from '../reward/reward.js';
import { tellingFirst } from '../plain-error.js';

/** What is served, where, and until when. */
export interface ServeRewardOptions {
  /** A person's own rewards that the parameters name, alone or beside others. */
  rewards?: readonly Reward[];
  host: string;
  /** 0 is any that is free. */
  port: number;
  device?: Device;
  /** Ends it, after the requests that it has. */
  signal: AbortSignal;
  /** Is told the address, once requests are answered. */
  onListening: (address: string, reward: Reward) => void;
  /** Is told of downloads, and of requests that failed. */
  onNotice?: OnNotice;
}

/**
 * Serves a reward as an audio scorer of verl-omni's protocol, version 1, until its signal comes.
 *
 * @throws Error in one sentence for a reward that is not there or needs more than sound and text, or a port that is taken
 */
export const serveReward = tellingFirst(async function (
  parameters: NamedParameters,
  { rewards, host, port, device, signal, onListening, onNotice }: ServeRewardOptions,
): Promise<void> {
  await using scorer = await openReward(parameters, { rewards }, { device, onNotice });
  const server = await serveScorer(scorer.reward, { host, port, onNotice });
  try {
    onListening(server.address, scorer.reward);
    if (!signal.aborted) await once(signal, 'abort');
  } finally {
    await server.close();
  }
});
