/**
 * Loaded before a program (`node --import`), makes its k-th step on the disk go wrong: FAULTY_DISK=kill:12 kills the process there,
 * ENOSPC:12 and EIO:12 fail that step, short:12 writes half of it and then finds the disk full, full:12 fails all writing from there on.
 * FAULTY_DISK=count:0 only counts. Steps are written to the file FAULTY_DISK_LOG as they are taken, one a line.
 */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const [fault, at] = (process.env.FAULTY_DISK ?? 'count:0').split(':');
const log = process.env.FAULTY_DISK_LOG && fs.openSync(process.env.FAULTY_DISK_LOG, 'a');
const { writeSync } = fs;
let steps = 0;

function failure(code) {
  return Object.assign(new Error(`${code}: injected`), { code });
}

/** Counts a step; returns what it is to fail with. */
function step(name) {
  steps += 1;
  if (log) writeSync(log, `${name}\n`);
  const isFull = fault === 'full' && steps >= Number(at) && name !== 'rm';
  if (!isFull && steps !== Number(at)) return undefined;
  if (fault === 'kill') process.kill(process.pid, 'SIGKILL');
  return failure(fault === 'EIO' ? 'EIO' : 'ENOSPC');
}

/** Half of the content, then the failure, where a short write is asked for. */
function halve(data) {
  if (typeof data === 'string' || ArrayBuffer.isView(data)) return data.slice(0, data.length / 2);
  const chunks = [...data];
  return Buffer.concat(chunks).subarray(0, Buffer.concat(chunks).length / 2);
}

for (const name of ['rename', 'mkdir', 'rm', 'writeFile', 'appendFile']) {
  const real = fs.promises[name];
  fs.promises[name] = async (target, ...rest) => {
    const error = step(name);
    if (error && fault === 'short' && name.endsWith('File')) await real(target, halve(rest[0]));
    if (error) throw error;
    return real(target, ...rest);
  };
}

const { open } = fs.promises;
fs.promises.open = async (path, flags, ...rest) => {
  const handle = await open(path, flags, ...rest);
  for (const name of ['sync', 'datasync']) {
    const real = handle[name].bind(handle);
    handle[name] = async () => {
      const error = step(name);
      if (error) throw error;
      return real();
    };
  }
  return handle;
};

const { appendFileSync } = fs;
fs.appendFileSync = (path, data, ...rest) => {
  const error = step('appendFileSync');
  if (error && fault === 'short') appendFileSync(path, halve(data));
  if (error) throw error;
  return appendFileSync(path, data, ...rest);
};

syncBuiltinESMExports();
