/** A worker's side of `speech-dpo score`: scores recordings. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fetchRecording, type RecordingFile } from '../farm/files/recordings.js';
import { parseRecordingsItem, scoresToText } from '../farm/recordings-item.js';
import type { RecordingsWork } from '../farm/terms.js';
import { openParts, releaseAll } from '../release.js';
import { openFileScorer, type FileScores } from '../scoring/score-files.js';
import { workersCache, type OpenWork, type WorkOptions } from './open-work.js';
import { runsScorers } from './scorers.js';

/** @throws Error in one sentence for what the worker lacks */
export function openRecordingsWork(
  { metrics, reference, text, transcriber }: RecordingsWork,
  { device, server, onNotice }: WorkOptions,
): Promise<OpenWork> {
  // What is fetched is of this process alone, and of the moment.
  const folder = join(workersCache(), `recordings-${process.pid}`);
  const fetch = (file: RecordingFile) => fetchRecording(file, { server, folder });
  return openParts(async (opened) => {
    opened.push(() => rm(folder, { recursive: true, force: true }));
    const scorer = await openFileScorer({
      metrics,
      reference: reference === null ? undefined : await fetch(reference),
      text: text ?? undefined,
      transcriber: transcriber ?? undefined,
      device: runsScorers(device) ? device : undefined,
      onNotice,
    });
    opened.push(() => scorer[Symbol.asyncDispose]());

    async function score(files: readonly RecordingFile[]): Promise<FileScores[]> {
      const paths: string[] = [];
      for (const file of files) paths.push(await fetch(file));
      const scores = await scorer.score(paths);
      for (const [i, path] of paths.entries()) {
        const { error } = scores[i];
        // Errors name the file by where it lies: at the trainer.
        if (error !== undefined) scores[i].error = error.replaceAll(path, files[i].path);
        if (path !== files[i].path && path !== reference?.path) await rm(path, { force: true });
      }
      return scores;
    }

    return {
      do: async (data) => scoresToText(await score(parseRecordingsItem(data))),
      [Symbol.asyncDispose]: () => releaseAll(opened),
    };
  });
}
