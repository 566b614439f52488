/**
 * A disk whose k-th step goes wrong. Steps are what changes it: writes, syncs, renames, making and removing.
 *
 * Loaded before a program (`node --import`) it is told by FAULTY_DISK: kill:12 kills the process at its 12th step, ENOSPC:12 and EIO:12
 * fail that step, short:12 writes half of it and then finds the disk full, full:12 fails all writing from there on, hang:12 never ends
 * that step. FAULTY_DISK=none:0 does nothing. Steps are written to the file FAULTY_DISK_LOG as they are taken, one a line.
 *
 * A test in the same process calls `breakDisk`. There gone:12 is as if the process had been killed at that step: neither it nor any
 * later one is taken or ends, and `onGone` is called.
 */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';

const HOUR_MS = 3_600_000;
const log = process.env.FAULTY_DISK_LOG && fs.openSync(process.env.FAULTY_DISK_LOG, 'a');
const { writeSync } = fs;
const disk = { fault: 'none', at: 0, steps: 0, onStep: undefined, onGone: undefined };

/** @type {typeof import('./faulty-disk.d.mts').breakDisk} */
export function breakDisk(fault, at = 0, { onStep, onGone } = {}) {
  Object.assign(disk, { fault, at, steps: 0, onStep, onGone });
}

function failure(code) {
  return Object.assign(new Error(`${code}: injected`), { code });
}

/** Counts a step; returns what it is to fail with. */
function step(name) {
  disk.steps += 1;
  disk.onStep?.(name);
  if (log) writeSync(log, `${name}\n`);
  const { fault, at, steps } = disk;
  const lasts = fault === 'gone' || (fault === 'full' && name !== 'rm');
  if (fault === 'none' || steps < at || (steps > at && !lasts)) return undefined;
  if (fault === 'gone' && steps === at) disk.onGone();
  if (fault === 'kill') process.kill(process.pid, 'SIGKILL');
  return failure(fault === 'EIO' ? 'EIO' : 'ENOSPC');
}

/** Half of the content, for a short write. */
function halve(data) {
  return data.slice(0, data.length / 2);
}

/** The same of what is written from chunks as they come. */
async function halveChunks(data) {
  if (typeof data === 'string' || ArrayBuffer.isView(data)) return halve(data);
  const chunks = [];
  for await (const chunk of data) chunks.push(Buffer.from(chunk));
  const whole = Buffer.concat(chunks);
  return whole.subarray(0, whole.length / 2);
}

async function asyncStep(name) {
  const error = step(name);
  if (error && disk.fault === 'hang') await sleep(HOUR_MS);
  if (error && disk.fault === 'gone') await new Promise(() => undefined);
  return error;
}

for (const name of ['rename', 'mkdir', 'rm', 'writeFile', 'appendFile']) {
  const real = fs.promises[name];
  fs.promises[name] = async (target, ...rest) => {
    const error = await asyncStep(name);
    if (error && disk.fault === 'short' && name.endsWith('File'))
      await real(target, await halveChunks(rest[0]));
    if (error) throw error;
    return real(target, ...rest);
  };
}

const { open } = fs.promises;
fs.promises.open = async (path, flags, ...rest) => {
  const handle = await open(path, flags, ...rest);
  // Counted and not done: only a power cut could tell, and it takes long.
  for (const name of ['sync', 'datasync']) {
    handle[name] = async () => {
      const error = await asyncStep(name);
      if (error) throw error;
    };
  }
  return handle;
};

for (const name of ['appendFileSync', 'writeSync']) {
  const real = fs[name];
  fs[name] = (target, data, ...rest) => {
    const error = step(name);
    if (error && disk.fault === 'short') real(target, halve(data));
    if (error) throw error;
    return real(target, data, ...rest);
  };
}

syncBuiltinESMExports();

const [fault, at] = (process.env.FAULTY_DISK ?? 'none:0').split(':');
breakDisk(/** @type {any} */ (fault), Number(at));
