/** Which of a dataset's files are its training data, by their names: as Python's `datasets` tells (data_files.py), where it can. */
import { basename, dirname, extname } from 'node:path/posix';
import { groupBy } from '../group-by.js';

/** Kinds of files that are read, the preferred first. */
export const DATA_EXTENSIONS = ['.parquet', '.jsonl', '.json'];

/** What lies beside the data. */
const METADATA_FILES = [
  'config.json',
  'dataset_info.json',
  'dataset_dict.json',
  'dataset_infos.json',
  'state.json',
];

const KEYWORDS: Record<string, string> = {
  train: 'train|training',
  validation: 'validation|valid|dev|val',
  test: 'test|testing|eval|evaluation',
};

/**
 * Which of a dataset's files are read: those of one kind (parquet before JSON Lines before JSON), of the "train" split where names tell
 * splits apart, else of no split, else of the only split there is; in the order of their names. Hidden files and folders are left out, and
 * so are folders that begin with "__".
 *
 * @param names paths in the dataset, with "/" between
 * @throws Error naming the splits when there are several and none is "train", and the part of a file in parts ("-00000-of-00003") that is
 * missing
 */
export function chooseDataFiles(names: readonly string[]): string[] {
  const visible = names.filter((name) => !isHidden(name) && !METADATA_FILES.includes(basename(name)));
  for (const extension of DATA_EXTENSIONS) {
    const ofKind = visible.filter((name) => dataExtension(name) === extension);
    if (ofKind.length === 0) continue;
    const files = chooseSplit(ofKind).sort();
    checkParts(files);
    return files;
  }
  return [];
}

/** The extension that tells how a file is read. */
export function dataExtension(name: string): string {
  return extname(name).toLowerCase();
}

/** What programs keep for themselves: editors' copies, caches, trash, what macOS puts beside files and into archives. */
function isHidden(name: string): boolean {
  return (
    name.split('/').some((part) => part.startsWith('.')) ||
    dirname(name)
      .split('/')
      .some((part) => part.startsWith('__'))
  );
}

function chooseSplit(names: readonly string[]): string[] {
  const bySplit = groupBy(names, (name): string | undefined => splitsOf(name)[0]);
  const chosen = bySplit.get('train') ?? bySplit.get(undefined);
  if (chosen) return chosen;
  if (bySplit.size === 1) return [...names];
  const found = [...bySplit.keys()].map((split) => `"${split}"`).sort();
  throw new Error(
    `its files are of the splits ${found.join(' and ')}, none is of "train": give the files of one split.`,
  );
}

/** The splits that a name mentions, "train" first: as data/SPLIT-00000-of-00001.parquet, else in a folder's name, else in the file's. */
function splitsOf(name: string): string[] {
  const [, split] = /^data\/([^/]+)-\d{5}-of-\d{5}[^/]*$/.exec(name) ?? [];
  if (split !== undefined) return [split];
  const ofFolders = splitsIn(dirname(name).split('/'), '$|');
  return ofFolders.length > 0 ? ofFolders : splitsIn([basename(name)], '');
}

/** A keyword stands for itself only between separators: "restrained" is of no split. */
function splitsIn(parts: readonly string[], mayEnd: string): string[] {
  return Object.keys(KEYWORDS).filter((split) => {
    const word = new RegExp(`(^|[-._ 0-9])(${KEYWORDS[split]})(${mayEnd}[-._ 0-9])`);
    return parts.some((part) => word.test(part));
  });
}

function checkParts(files: readonly string[]): void {
  const found = new Map<string, Map<number, string>>();
  for (const file of files) {
    const match = /^(.*?)(\d+)-of-(\d+)[^/]*$/.exec(file);
    if (!match) continue;
    const [, stem, number, count] = match;
    const parts = found.get(`${stem}*-of-${count}`) ?? new Map<number, string>();
    found.set(`${stem}*-of-${count}`, parts.set(Number(number), number));
  }
  for (const [name, parts] of found) {
    const count = Number(/\d+$/.exec(name)![0]);
    // Some writers count from one.
    const first = parts.has(count) ? 1 : 0;
    let missing = first;
    while (parts.has(missing)) missing += 1;
    if (missing >= first + count) continue;
    const [digits] = parts.values();
    const part = name.replace('*', String(missing).padStart(digits.length, '0'));
    throw new Error(
      `${part} is missing: ${parts.size} of ${count} parts are there; complete them, or give the files that are to be read one by one.`,
    );
  }
}
