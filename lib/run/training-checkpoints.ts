/** The states that an interrupted training goes on from: iter_k/training/step_N in a run's model directory. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { remove, writeDirectoryAtomic } from '../checkpoint/atomic.js';
import { findDamage, writeChecksums } from '../checkpoint/checksums.js';
import type { DeferredTensor } from '../engine/host-tensor.js';
import { openSafetensors, writeSafetensors } from '../checkpoint/safetensors.js';
import type { TrainingSnapshot } from '../dpo/trainer.js';
import type { RunDirectories } from './directories.js';

const STATE_FILE = 'state.safetensors';
/** The newest, and the one before for when that is damaged. */
const KEPT = 2;

const folderOf = ({ modelDirectory }: RunDirectories, iteration: number) =>
  join(modelDirectory, `iter_${iteration}`, 'training');

/**
 * Writes parameters and moments with checksums, one tensor in memory at a time, complete or not at all; removes all but the newest
 * two.
 * @throws when a number is not finite, or the disk is full
 */
export async function saveTraining(
  directories: RunDirectories,
  iteration: number,
  { steps, tensors }: TrainingSnapshot,
): Promise<void> {
  const checked = (name: string, tensor: DeferredTensor): DeferredTensor => ({
    ...tensor,
    async read() {
      const data = (await tensor.read()) as Float32Array;
      if (!data.every((value) => Number.isFinite(value)))
        throw new Error(`${name} is not finite after optimizer step ${steps}`);
      return data;
    },
  });
  const content = new Map([...tensors].map(([name, tensor]) => [name, checked(name, tensor)]));
  const folder = folderOf(directories, iteration);
  await writeDirectoryAtomic(
    join(folder, `step_${steps}`),
    async (temporary) => {
      const checksum = await writeSafetensors(join(temporary, STATE_FILE), content);
      await writeChecksums(temporary, new Map([[STATE_FILE, checksum]]));
    },
    { replace: true },
  );
  for (const old of (await listSteps(folder)).slice(KEPT)) await remove(join(folder, `step_${old}`));
}

/** The step of an iteration's newest undamaged training state, and a sentence about each damaged one. */
export async function findTraining(
  directories: RunDirectories,
  iteration: number,
): Promise<{ steps?: number; messages: string[] }> {
  const folder = folderOf(directories, iteration);
  const messages: string[] = [];
  for (const steps of await listSteps(folder)) {
    const damage = await findDamage(join(folder, `step_${steps}`));
    if (damage === undefined) return { steps, messages };
    messages.push(`${damage}: the checkpoint before it is used.`);
  }
  return { messages };
}

/** A training state to resume from; its tensors are read from the file when they are asked for. */
export async function readTraining(
  directories: RunDirectories,
  iteration: number,
  steps: number,
): Promise<TrainingSnapshot> {
  const path = join(folderOf(directories, iteration), `step_${steps}`, STATE_FILE);
  return { steps, tensors: await openSafetensors(path) };
}

/** Removes an iteration's training states, which its checkpoint makes superfluous. */
export async function removeTraining(directories: RunDirectories, iteration: number): Promise<void> {
  await remove(folderOf(directories, iteration));
}

/** Newest first. */
async function listSteps(folder: string): Promise<number[]> {
  const names = await readdir(folder).catch(() => []);
  return names
    .flatMap((name) => /^step_(\d+)$/.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => b - a);
}
