import { join } from 'node:path';
import { z } from 'zod';
import { writeFileAtomic } from '../checkpoint/atomic.js';
import { readJsonFile } from '../checkpoint/json-file.js';
import { sentenceOf } from '../plain-error.js';
import type { RunDirectories } from '../run/directories.js';
import type { Evaluation } from './evaluate.js';

const evaluation = z.custom<Evaluation>(
  (value) => z.object({ train: samples, test: samples }).safeParse(value).success,
);
const figures = z.record(z.string(), z.number());
const sample = z.looseObject({
  codes: z.array(z.number()),
  finished: z.boolean(),
  reward: z.number().nullable(),
  rank: z.number().nullable(),
  details: figures,
  figures,
  dropped: z.string().optional(),
});
const samples = z.array(z.array(sample));
const fileSchema = z.strictObject({
  original: evaluation,
  last: z.strictObject({ iteration: z.number().int().min(0), evaluation }).optional(),
});

/** What evaluations found that later iterations compare with. */
export type Evaluations = z.infer<typeof fileSchema>;

const pathIn = ({ modelDirectory }: RunDirectories) => join(modelDirectory, 'evaluations.json');

/** Writes evaluations.json in the model directory. Its `last` iteration is complete: checkpoint, model card and all. */
export async function writeEvaluations(directories: RunDirectories, evaluations: Evaluations): Promise<void> {
  await writeFileAtomic(pathIn(directories), JSON.stringify(evaluations) + '\n');
}

/** Undefined when there are none yet, or the file is damaged. */
export async function readEvaluations(directories: RunDirectories): Promise<Evaluations | undefined> {
  const content = await readJsonFile(pathIn(directories)).catch((error: unknown) => void sentenceOf(error));
  return fileSchema.safeParse(content).data;
}
