/** The networks that score, by the names of their metrics: where their weights are, and by what these are known. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { hashFile } from '../checkpoint/atomic.js';
import { DNSMOS_FILES, DNSMOS_PLACE } from './dnsmos/dnsmos.js';
import { NISQA, NISQA_MOS_ONLY, NISQA_TTS } from './nisqa/published.js';
import { VOICE_ENCODER_FILES, VOICE_ENCODER_PLACE } from './voice-encoder.js';
import { findWeights, type WeightsPlace } from './weights-path.js';

const PLACES = {
  nisqa: NISQA.place,
  dnsmos: DNSMOS_PLACE,
  'nisqa-mos-only': NISQA_MOS_ONLY.place,
  naturalness: NISQA_TTS.place,
  similarity: VOICE_ENCODER_PLACE,
} as const satisfies Record<string, WeightsPlace>;

/** Those in a folder. */
const FILES: Partial<Record<ScoringNetwork, readonly string[]>> = {
  dnsmos: DNSMOS_FILES,
  similarity: VOICE_ENCODER_FILES,
};

export type ScoringNetwork = keyof typeof PLACES;
export const scoringNetworks = Object.keys(PLACES) as ScoringNetwork[];

export const placeOfNetwork = (network: ScoringNetwork): WeightsPlace => PLACES[network];

/**
 * By what the weights of a network are known: the SHA-256 of its file, or over those of its files.
 *
 * @throws Error when they are not on this machine
 */
export async function hashWeights(network: ScoringNetwork): Promise<string> {
  const path = await findWeights(PLACES[network]);
  const files = FILES[network];
  if (!files) return hashFile(path);
  const hash = createHash('sha256');
  for (const name of files) hash.update(await hashFile(join(path, name)));
  return hash.digest('hex');
}

/** {@link hashWeights} of several networks, by network. */
export async function hashesOfWeights(
  networks: readonly ScoringNetwork[],
): Promise<Partial<Record<ScoringNetwork, string>>> {
  return Object.fromEntries(
    await Promise.all(networks.map(async (network) => [network, await hashWeights(network)] as const)),
  );
}
