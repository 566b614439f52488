/** From codes to sound and back: the embedded model, which has no peer and does this with every sample that it scores, and an EnCodec. */
import { CpuDevice } from '../lib/engine/index.js';
import { join } from 'node:path';
import type { Codes } from '../lib/codec/codec.js';
import type { DatasetItem } from '../lib/data/item.js';
import { openEncodec } from '../lib/codec/encodec/codec.js';
import { openSpectralCodec } from '../lib/codec/spectral/codec.js';
import { loadPrompts } from '../lib/data/prompts.js';
import { findPackageRoot } from '../lib/package-root.js';
import { uniformStream } from '../lib/random.js';
import { openPartner } from '../lib/policy/partner.js';
import { loadPolicy } from '../lib/policy/policy.js';

const device = new CpuDevice();

const MODEL = join(findPackageRoot(), 'models/default');
const PROMPTS = 10;

/** Prompts take turns, as completions that end together are of several. */
async function answers(count: number): Promise<DatasetItem[]> {
  const { tokenizer } = await loadPolicy(join(MODEL, 'policy'));
  const { test } = await loadPrompts(join(MODEL, 'prompts.json'), tokenizer);
  return Array.from({ length: count }, (_, i) => test[i % PROMPTS]);
}

/** Writes codebooks 1 to 7 of `count` samples; the first call loads and compiles. */
export function fillCodebooks(count: number): () => Promise<void> {
  const open = once(async () => {
    const partner = openPartner(await loadPolicy(join(MODEL, 'nar')), device);
    const items = (await answers(count)).map(({ instruction, src_encodec, tgt_encodec }) => ({
      instruction,
      source: src_encodec,
      codebook0: tgt_encodec[0],
    }));
    return { partner, items };
  });
  return async () => {
    const { partner, items } = await open();
    await partner.fill(items);
  };
}

/** Decodes `count` samples to sound; the first call loads and compiles. */
export function decodeSounds(count: number): () => Promise<void> {
  const open = once(async () => {
    const codec = await openSpectralCodec(join(MODEL, 'codec'), device);
    const sounds: Codes[] = (await answers(count)).map(({ tgt_encodec }) => tgt_encodec);
    return { codec, sounds };
  });
  return async () => {
    const { codec, sounds } = await open();
    for (const codes of sounds) await codec.decode(codes);
  };
}

/** An EnCodec encodes or decodes one recording of some seconds; the first call loads, compiles and makes what is decoded. */
export function encodec(
  folder: string,
  direction: 'encode' | 'decode',
  seconds: number,
): () => Promise<void> {
  const open = once(async () => {
    const codec = await openEncodec(folder, device);
    const uniform = uniformStream(0);
    const samples = Float32Array.from(
      { length: seconds * codec.sampleRateHz },
      () => 0.1 * (2 * uniform() - 1),
    );
    return { codec, samples, codes: await codec.encode(samples) };
  });
  return async () => {
    const { codec, samples, codes } = await open();
    await (direction === 'encode' ? codec.encode(samples) : codec.decode(codes));
  };
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => (made ??= make());
}
