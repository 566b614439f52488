/** BART as the non-autoregressive partner: the same network with a decoder that sees both ways. */
import { tf } from '../../engine/index.js';
import type { PartnerNetwork } from '../architecture.js';
import type { BartConfig } from './config.js';
import { contextOf, contextOfStates, contextShapes } from './generation.js';
import { addPositions, decoderLayers, embeddingScale, embedTokens, encode } from './network.js';
import { SHARED_EMBEDDING } from './weights.js';

/** What the research code's partner calls itself in config.json. */
const isOfResearchCode = ({ architectures }: BartConfig): boolean =>
  architectures?.includes('NARBartForConditionalGeneration') ?? false;

const range = (end: number): number[] => [...Array(end).keys()];

export const partner: PartnerNetwork<BartConfig> = {
  isPartner: (config) => config.partner === true || isOfResearchCode(config),
  /**
   * A position holds all codebooks there are; but the research code's partner reads the source's codebook of the same number and the target's one
   * before.
   */
  reading: (config, codebook, codebooks) =>
    isOfResearchCode(config)
      ? { source: [codebook], target: [codebook - 1] }
      : { source: range(codebooks), target: range(codebook) },
  embedding: (config, weights) => ({
    table: weights.get(SHARED_EMBEDDING)!.data,
    width: config.d_model,
    scale: embeddingScale(config),
  }),
  embed: embedTokens,
  contextShapes,
  encode,
  context: contextOfStates,
  decode(config, w, { tokens, targetMask, context, sourceMask }) {
    const [rows, length] = targetMask.shape;
    return decoderLayers(
      config,
      w,
      addPositions(config, w, 'decoder', tokens),
      (layer) => contextOf(context, layer),
      sourceMask,
      tf.reshape(targetMask, [rows, 1, 1, length]),
    );
  },
};
