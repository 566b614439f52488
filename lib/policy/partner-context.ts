/**
 * What the partner's decoder reads of prompts. The encoder's states of a prompt are kept for its next completions: nobody trains the partner,
 * so that they are the same each time, and a run asks for the same prompts in every iteration.
 */
import { partOf, type Device, type DeviceTensor, type HostArray } from '../engine/index.js';
import { attentionMask, padPositions } from './padding.js';
import type { PartnerModel, PartnerPrograms, PartnerShape } from './partner-programs.js';

/**
 * The most that is kept. A prompt of 512 positions takes 1.5 MiB at BART-base's size, with the research code's partner for each codebook
 * that it writes.
 */
const MOST_BYTES = 256 * 2 ** 20;

/** Room for the context of a prompt in each of R slots: `context` is that of all, `slots[i]` one prompt's. */
export async function openContextMemory(
  { config, network }: PartnerModel,
  { rows, sourceLength }: PartnerShape,
  device: Device,
) {
  const shapes = Object.entries(network.contextShapes(config, sourceLength));
  const { tensors, release } = await device.allocate(
    shapes.map(([name, shape]) => [name, [rows, ...shape]] as const),
  );
  const slots = Array.from({ length: rows }, (_, slot) =>
    Object.fromEntries(
      shapes.map(([name, shape]) => [name, partOf(tensors.get(name)!, slot, [1, ...shape])] as const),
    ),
  );
  return { context: Object.fromEntries(tensors), slots, release };
}

/** Prompts as the partner's decoder reads them. */
export interface PromptContexts {
  /**
   * Writes the context of a prompt.
   *
   * @param positions what is read of it, one or more ids a position
   * @param length positions that it is filled up to
   */
  write(
    positions: readonly (readonly number[])[],
    length: number,
    slot: Readonly<Record<string, DeviceTensor>>,
  ): Promise<void>;
}

/** @param mostBytes of states that are kept */
export function openPromptContexts(
  { config }: Pick<PartnerModel, 'config'>,
  programs: Pick<PartnerPrograms, 'encoder' | 'context'>,
  mostBytes = MOST_BYTES,
): PromptContexts {
  const kept = new Map<string, HostArray>();
  let bytes = 0;

  /** Those asked for last stay. */
  function keep(key: string, states: HostArray): void {
    if (!kept.delete(key)) bytes += states.byteLength;
    // A map remembers the order of its entries: the one used last comes last.
    kept.set(key, states);
    for (const [oldest, { byteLength }] of kept) {
      if (bytes <= mostBytes) break;
      kept.delete(oldest);
      bytes -= byteLength;
    }
  }

  return {
    async write(positions, length, slot) {
      const idsPerPosition = Math.max(...positions.map((ids) => ids.length));
      const promptIds = padPositions([positions], length, idsPerPosition, config.pad_token_id);
      const key = `${idsPerPosition} ${Buffer.from(promptIds.buffer).toString('latin1')}`;
      let states = kept.get(key);
      if (!states) {
        const encoder = await programs.encoder(length, idsPerPosition);
        ({ states } = await encoder({ promptIds, promptMask: attentionMask([positions], length) }));
      }
      keep(key, states);
      const context = await programs.context(length);
      await context({ states }, slot);
    },
  };
}
