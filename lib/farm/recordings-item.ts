/** Recordings that are farmed out to be scored, some at a time, and their scores on the way back. */
import { z } from 'zod';
import type { FileScores } from '../scoring/score-files.js';
import { describeIssues } from '../zod-message.js';
import type { Dispatch } from './batch.js';
import { offerRecording, recordingSchema, type RecordingFile } from './files/recordings.js';
import type { FileServer } from './files/server.js';
import { hashOf } from './item.js';

const itemSchema = z.strictObject({ files: z.array(recordingSchema).min(1).max(1000) });

/** @param position the item's place in its request, since others may have the same recordings */
export function recordingsItem(
  files: readonly RecordingFile[],
  position: number,
  server: FileServer,
  terms: string,
): Dispatch {
  for (const file of files) offerRecording(server, file);
  const others = files.length > 1 ? ` and ${files.length - 1} more recordings` : '';
  return {
    id: hashOf([terms, position, files.map(({ sha256 }) => sha256)]),
    title: `${files[0].path}${others}`,
    data: { files },
  };
}

/** @throws Error saying what is wrong with an item that came from the queue */
export function parseRecordingsItem(value: unknown): RecordingFile[] {
  const result = itemSchema.safeParse(value);
  if (!result.success) throw new Error(`the queue holds what is no item: ${describeIssues(result.error)}`);
  return result.data.files;
}

const figure = z.union([
  z.number(),
  z.string(),
  z.strictObject({ notFinite: z.enum(['NaN', 'Infinity', '-Infinity']) }),
]);
const resultSchema = z.array(z.record(z.string(), z.union([figure, z.record(z.string(), figure)])));

/** JSON has no infinities, and silence has a level of minus infinity. */
export function scoresToText(scores: readonly FileScores[]): string {
  return JSON.stringify(scores, (_, value: unknown) =>
    typeof value === 'number' && !Number.isFinite(value) ? { notFinite: String(value) } : value,
  );
}

/** @throws Error saying what is wrong with a worker's answer about that many recordings */
export function scoresFromText(text: string, count: number): FileScores[] {
  const value: unknown = JSON.parse(text);
  const { error } = resultSchema.safeParse(value);
  if (error) throw new Error(`a worker answers otherwise than with scores: ${describeIssues(error)}`);
  const scores = JSON.parse(text, (_, each: unknown) =>
    typeof each === 'object' && each !== null && 'notFinite' in each ? Number(each.notFinite) : each,
  ) as FileScores[];
  if (scores.length !== count)
    throw new Error(`a worker answers with ${scores.length} recordings in place of ${count}`);
  return scores;
}
