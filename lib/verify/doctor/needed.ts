/** What every run needs: this Node.js, room on the disk, the embedded model. */
import { accessSync, constants, existsSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { availableParallelism, totalmem } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { readJsonFile } from '../../checkpoint/json-file.js';
import { reinstallCommand } from '../../command-text.js';
import { CpuDevice } from '../../engine/index.js';
import { synthesize } from '../../experiment/synthesize.js';
import { openModel, openPolicy } from '../../jobs/open.js';
import { openPrompts } from '../../jobs/prompts.js';
import { findPackageRoot } from '../../package-root.js';
import { firstError } from '../../plain-error.js';
import { parseParameters } from '../../run/parameters.js';
import type { Finding } from './finding.js';

const GB = 1e9;
/** A run of the default experiments writes 0.1 GB; one with the checkpoints of a base-size model many times that. */
const LEAST_FREE_GB = 0.5;

export async function* examineNeeds(): AsyncGenerator<Finding> {
  yield await examineNode();
  yield await examineDisk(process.cwd());
  yield await examineModel();
}

/** Against "engines" of package.json, which is `>=MAJOR.MINOR <MAJOR`. */
async function examineNode(): Promise<Finding> {
  const { engines } = z
    .object({ engines: z.object({ node: z.string() }) })
    .parse(await readJsonFile(join(findPackageRoot(), 'package.json')));
  const [, least, minor, beyond] = /^>=(\d+)\.(\d+) <(\d+)$/.exec(engines.node)!.map(Number);
  const { node } = process.versions;
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB of memory`;
  const machine = `${process.platform} ${process.arch}, ${availableParallelism()} cores, ${memory}`;
  return nodeFinding(node, { least, minor, beyond }, machine);
}

/** @param range from version least.minor on, and before version `beyond` */
export function nodeFinding(
  node: string,
  { least, minor, beyond }: { least: number; minor: number; beyond: number },
  machine: string,
): Finding {
  const finding = { group: 'needed', name: 'Node.js' } as const;
  const [major, itsMinor] = node.split('.').map(Number);
  if (major < beyond && (major > least || (major === least && itsMinor >= minor)))
    return { ...finding, state: 'ok', found: `${node} on ${machine}` };
  return {
    ...finding,
    state: 'broken',
    mend: `nvm install ${beyond - 1}`,
    found: `${node}; it has to be ${least}.${minor} or newer, and older than ${beyond}`,
    matters: 'speech-dpo is not tested with others.',
  };
}

/** Room for a run in a folder. */
export async function examineDisk(folder: string, leastGb = LEAST_FREE_GB): Promise<Finding> {
  const finding = { group: 'needed', name: 'disk' } as const;
  const { bavail, bsize } = await statfs(folder);
  const freeGb = (bavail * bsize) / GB;
  const found = `${freeGb < 10 ? freeGb.toFixed(1) : Math.round(freeGb)} GB free in ${folder}`;
  if (freeGb < leastGb)
    return {
      ...finding,
      state: 'broken',
      found,
      matters: `A run writes 0.1 GB with the embedded model, and more with larger ones: make room, ${leastGb} GB at least.`,
    };
  try {
    accessSync(folder, constants.W_OK);
  } catch {
    return {
      ...finding,
      state: 'broken',
      found: `${folder} cannot be written`,
      mend: 'npx speech-dpo mos --output ~',
      matters: 'Runs write there unless --output names another folder.',
    };
  }
  return { ...finding, state: 'ok', found };
}

const NEW_TOKENS = 20;
const REPAIR_MODEL = existsSync(join(findPackageRoot(), '.git'))
  ? 'git checkout -- models/default'
  : reinstallCommand();

/** Loads all parts of the embedded model, and makes an edit of a few tokens heard. */
async function examineModel(): Promise<Finding> {
  const finding = { group: 'needed', name: 'model' } as const;
  const device = new CpuDevice();
  try {
    const parameters = parseParameters({});
    const policy = await openPolicy(parameters);
    const { test } = await openPrompts(policy, parameters, { train: 0, test: 1 });
    await using model = await openModel(policy, parameters, { device, speaks: true });
    const sampling = { samplesPerPrompt: 1, seed: 1 };
    const ids = test.map((prompt) => prompt.ids);
    let codes: number[] = [];
    for await (const event of model.sampler.sample(ids, { ...sampling, maxNewTokens: NEW_TOKENS }))
      if (event.type === 'completion') ({ codes } = event);
    const [samples] = await synthesize(model, [{ item: test[0].item, codes }]);
    const seconds = (samples.length / model.codec.sampleRateHz).toFixed(1);
    return {
      ...finding,
      state: 'ok',
      found: `the embedded one: ${codes.length} tokens sampled, heard as ${seconds} s`,
    };
  } catch (error) {
    return {
      ...finding,
      state: 'broken',
      found: (firstError(error) as Error).message,
      mend: REPAIR_MODEL,
      matters: 'Every run starts from it that names no other model.',
    };
  } finally {
    await device.close();
  }
}
