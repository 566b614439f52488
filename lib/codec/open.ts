import { join } from 'node:path';
import { z } from 'zod';
import type { Device } from '../engine/index.js';
import { readJsonFile } from '../checkpoint/json-file.js';
import { resolveModelPart } from '../package-root.js';
import type { Codec } from './codec.js';
import type { EncodecOptions } from './encodec/checkpoint.js';
import { openEncodec } from './encodec/codec.js';
import { openSpectralCodec } from './spectral/codec.js';

type CodecOptions = Pick<EncodecOptions, 'codebooks'>;

const CODECS: Record<string, (folder: string, device: Device, options: CodecOptions) => Promise<Codec>> = {
  'spectral-codec': openSpectralCodec,
  encodec: openEncodec,
};

const configSchema = z.looseObject({ model_type: z.string() });

/**
 * Opens the codec in a folder, whichever its config.json says it is: the embedded spectral codec or an EnCodec.
 *
 * @param path "default" is the embedded codec
 * @param device runs its networks
 * @param options.codebooks at most so many are used of an EnCodec's, the first ones; default: those of 6 kbit/s, which are 8 at 24 kHz
 * @throws Error naming the file when it is neither, or damaged
 */
export async function openCodec(path: string, device: Device, options: CodecOptions = {}): Promise<Codec> {
  const folder = resolveModelPart(path, 'codec');
  const file = join(folder, 'config.json');
  const { data } = configSchema.safeParse(await readJsonFile(file));
  const open = data && Object.hasOwn(CODECS, data.model_type) ? CODECS[data.model_type] : undefined;
  if (!open) {
    const known = Object.keys(CODECS).join('" or "');
    throw new Error(`${file}: model_type must be "${known}", found ${JSON.stringify(data?.model_type)}.`);
  }
  return open(folder, device, options);
}
