import { parseWav, type MonoRecording } from '../../lib/audio/wav.js';
import type { VotesFile } from '../../lib/run/votes-file.js';

/** What a listening page holds, taken out of its HTML. */
export interface PageContent {
  id: string;
  format: string;
  pairs: { instruction: string; source: string; left: string; right: string }[];
  key: { systems: [string, string]; pairs: Pick<VotesFile['votes'][number], 'source' | 'left' | 'right'>[] };
}

/** Reads the page's data and opens its key, as the page's script does for the export. */
export function readPage(html: string): PageContent {
  const elementText = (id: string) =>
    new RegExp(`<script type="[^"]*" id="${id}">([^<]*)</script>`).exec(html)![1];
  const page = JSON.parse(elementText('page')) as Omit<PageContent, 'key'>;
  const key = Buffer.from(elementText('key'), 'base64').toString('utf8');
  return { ...page, key: JSON.parse(key) as PageContent['key'] };
}

/** A sound of the page. */
export function soundOf(base64: string): MonoRecording {
  const { channels, sampleRateHz } = parseWav(Buffer.from(base64, 'base64'), 'a sound of the page');
  return { samples: channels[0], sampleRateHz };
}

/** The votes file that the page exports when a person votes like this. */
export function votesOf(
  { id, format, pairs, key }: PageContent,
  choose: (pair: PageContent['key']['pairs'][number], index: number) => VotesFile['votes'][number]['choice'],
  listener = 'someone',
): VotesFile {
  return {
    format: format as VotesFile['format'],
    page: id,
    listener,
    exportedAt: '2026-06-01T12:00:00.000Z',
    pairs: pairs.length,
    systems: key.systems,
    votes: key.pairs.map((hidden, pair) => ({
      pair,
      instruction: pairs[pair].instruction,
      ...hidden,
      choice: choose(hidden, pair),
    })),
  };
}
