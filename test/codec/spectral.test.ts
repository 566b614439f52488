import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { trackF0 } from '../../lib/audio/f0.js';
import type { FloatTensor } from '../../lib/engine/host-tensor.js';
import { saveSpectralCodec, type SpectralCodecModel } from '../../lib/codec/spectral/checkpoint.js';
import { openSpectralCodec } from '../../lib/codec/spectral/codec.js';
import { decoderShapes } from '../../lib/codec/spectral/decoder.js';
import { analyse, FEATURES, MEL_BANDS, scaleFeatures } from '../../lib/codec/spectral/features.js';
import { sumEntries } from '../../lib/codec/quantizer.js';
import { uniformStream } from '../../lib/random.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { device } from '../support/device.js';

const DEFAULT_CODEC = 'models/default/codec';
const RATE_HZ = 16000;

/** A codec of three codebooks of four entries with random weights. */
function tinyModel(): SpectralCodecModel {
  const uniform = uniformStream(5);
  const random = (length: number): Float32Array => Float32Array.from({ length }, () => uniform() - 0.5);
  const decoder = { width: 8, slowBlocks: 1, fastBlocks: 1, kernel: 3, expansion: 2, bins: 321 } as const;
  return {
    config: {
      model_type: 'spectral-codec',
      sample_rate_hz: RATE_HZ,
      frame_rate_hz: 50,
      codebooks: 3,
      codebook_size: 4,
      griffin_lim_iterations: 2,
      decoder,
    },
    scale: { melMean: random(MEL_BANDS), melDeviation: 1.5, logF0Mean: 5 },
    codebooks: Array.from({ length: 3 }, () => random(4 * FEATURES)),
    decoder: new Map(
      [...decoderShapes(decoder)].map(([name, shape]): [string, FloatTensor] => {
        return [name, { shape, dtype: 'float32', data: random(shape.reduce((a, b) => a * b)) }];
      }),
    ),
  };
}

/** A voice-like sound: harmonics of a falling pitch under two formants, swelling three times a second. */
function voiceLike(seconds: number): Float32Array {
  let phase = 0;
  return Float32Array.from({ length: Math.round(seconds * RATE_HZ) }, (_, i) => {
    const time = i / RATE_HZ;
    const hz = 150 - 30 * time;
    phase += hz / RATE_HZ;
    let sum = 0;
    for (let harmonic = 1; harmonic * hz < 4000; harmonic++) {
      const formant = (centre: number) => 1 / (1 + ((harmonic * hz - centre) / 120) ** 2);
      sum += (formant(600) + 0.5 * formant(1500)) * Math.cos(2 * Math.PI * harmonic * phase);
    }
    return 0.05 * sum * (0.6 + 0.4 * Math.sin(2 * Math.PI * 3 * time));
  });
}

async function saveTiny(): Promise<string> {
  const folder = join(temporaryFolder(), 'codec');
  await saveSpectralCodec(folder, tinyModel());
  return folder;
}

it('a frame of the analysis is centred on the middle of its 160 samples', () => {
  const click = new Float32Array(RATE_HZ / 2);
  click[20 * 160 + 80] = 1;
  const { logMel } = analyse(click);
  const levelOf = (frame: number) =>
    logMel.subarray(frame * MEL_BANDS, (frame + 1) * MEL_BANDS).reduce((sum, level) => sum + level, 0);
  expect(levelOf(20)).toBeGreaterThan(levelOf(19) + 1);
  expect(levelOf(21)).toBeCloseTo(levelOf(19), 3);
});

describe('spectral codec with random weights', () => {
  it('codes each frame by the nearest entries, stage by stage', async () => {
    const model = tinyModel();
    const codec = await openSpectralCodec(await saveTiny(), device);
    const sound = voiceLike(2.9);
    const codes = await codec.encode(sound);
    await codec.dispose();
    expect(codes.map((row) => row.length)).toEqual([145, 145, 145]);
    const features = scaleFeatures(analyse(sound), model.scale);
    const distance = (frame: number, candidate: number[]): number => {
      const entries = sumEntries(
        candidate.map((code) => [code]),
        model.codebooks,
        FEATURES,
      );
      return entries.reduce((sum, value, i) => sum + (features[frame * FEATURES + i] - value) ** 2, 0);
    };
    for (const frame of [0, 77, 144]) {
      const chosen: number[] = [];
      for (const row of codes) {
        const distances = [0, 1, 2, 3].map((code) => distance(frame, [...chosen, code]));
        // Stored as float16, an entry may move by half a thousandth of its size.
        expect(distances[row[frame]]).toBeLessThan(Math.min(...distances) + 0.1);
        chosen.push(row[frame]);
      }
    }
  });

  it('decodes to 320 samples a frame, the same every time', async () => {
    const codec = await openSpectralCodec(await saveTiny(), device);
    expect(codec).toMatchObject({ sampleRateHz: RATE_HZ, frameRateHz: 50, codebooks: 3, codebookSize: 4 });
    const codes = [
      [0, 1, 2, 3, 0],
      [3, 2, 1, 0, 1],
      [1, 1, 1, 1, 1],
    ];
    const first = await codec.decode(codes);
    expect(first.length).toBe(5 * 320);
    expect(first.every(Number.isFinite)).toBe(true);
    expect(await codec.decode(codes)).toEqual(first);
    expect(await codec.decode(codes.slice(0, 1))).not.toEqual(first);
    // It ends as if its last sound went on.
    const held = codes.map((row) => [...row, ...Array<number>(27).fill(row[4])]);
    expect((await codec.decode(held)).subarray(0, 5 * 320)).toEqual(first);
    expect((await codec.decode([[], [], []])).length).toBe(0);
    expect(await codec.encode(new Float32Array(0))).toEqual([[], [], []]);
    await codec.dispose();
  });

  it('refuses codes that are not its own', async () => {
    const codec = await openSpectralCodec(await saveTiny(), device);
    await expect(codec.decode([[4]])).rejects.toThrow(
      'Codebook 0 holds 4; codes are whole numbers from 0 to 3.',
    );
    await expect(codec.decode([[0, 1], [0]])).rejects.toThrow('Codebook 1 has 1 frames, codebook 0 has 2');
    await expect(codec.decode([[0], [0], [0], [0]])).rejects.toThrow('has 3 codebooks; got codes for 4');
    await codec.dispose();
  });

  it('refuses a folder that holds something else', async () => {
    const folder = await saveTiny();
    const file = join(folder, 'config.json');
    const config = JSON.parse(await readFile(file, 'utf8')) as {
      decoder: { width: number };
      model_type: string;
    };
    config.decoder.width = 16;
    await writeFile(file, JSON.stringify(config));
    await expect(openSpectralCodec(folder, device)).rejects.toThrow(
      /model\.safetensors: "decoder\.input\.weight" must be float/,
    );
    config.model_type = 'encodec';
    await writeFile(file, JSON.stringify(config));
    await expect(openSpectralCodec(folder, device)).rejects.toThrow(
      /config\.json is not a spectral codec's: model_type/,
    );
    await expect(openSpectralCodec(join(folder, 'nowhere'), device)).rejects.toThrow(
      /config\.json does not exist/,
    );
  });
});

describe.skipIf(!existsSync(DEFAULT_CODEC))('the embedded codec', () => {
  it('keeps pitch and spectrum of a voice-like sound', async () => {
    const codec = await openSpectralCodec(DEFAULT_CODEC, device);
    const sound = voiceLike(1);
    const decoded = await codec.decode(await codec.encode(sound));
    await codec.dispose();
    expect(decoded.length).toBe(sound.length);
    const frames = 90;
    const [before, after] = [sound, decoded].map((samples) => ({
      ...analyse(samples),
      f0: trackF0(samples, 160, frames),
    }));
    const pitchErrors = Array.from(after.f0.logF0, (value, t) => Math.abs(value - before.f0.logF0[t])).sort(
      (a, b) => a - b,
    );
    expect(pitchErrors[frames / 2]).toBeLessThan(0.03);
    const melError =
      after.logMel.reduce((sum, value, i) => sum + Math.abs(value - before.logMel[i]), 0) /
      after.logMel.length;
    expect(melError).toBeLessThan(0.7);
  });
});
