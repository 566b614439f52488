import { dirname, relative, sep } from 'node:path';
import { taughtBy } from '../../run/taught-by.js';
import { clipRows, longestSeconds, mostClips, placeOf } from '../clips.js';
import { escapeHtml } from '../escape.js';
import { figurePlace } from '../figure-html.js';
import type { Figure } from '../figure.js';
import { PAIRED_NOTE } from '../paired-change.js';
import { clipCard, oneSampleNote, promptSection, soundHelp, soundNotes } from '../report/audio-section.js';
import { selfContainedPage } from '../report/page.js';
import { note, scrolling, warning } from '../report/parts.js';
import type { Section } from '../report/sections.js';
import { soundRow } from '../sound-card.js';
import { soundScript } from '../sound-script.js';
import { SCALE_NOTE } from '../spectrogram-picture.js';
import { comparedGuards, comparedLogProbabilities, comparedRewards, comparedTraining } from './curves.js';
import { comparedFrontiers } from './frontiers.js';
import { comparisonNotes, type ComparedRun } from './runs.js';
import { SEEDS_NOTE, seedTable } from './seeds.js';
import type { ComparedPrompt } from './sound.js';
import { differenceTable, differingTable, resultTable } from './tables.js';

const CAPTIONS = {
  'chart-rewards':
    'A line is the mean reward of all samples on held-out prompts, its band the 95 % interval of the mean over prompts, where there are 5 or more.',
  'chart-frontiers':
    'A point is the policy after an iteration, the first one the original policy. The KL divergence says how far the policy has gone from it: of ' +
    'two runs with the same reward, the one further to the left has changed less for it. Its axis is one of square roots. A grey line is what sampling more and choosing gives without ' +
    'training: the best of 1, 2, ... samples of an original policy.',
  'chart-guards':
    'These figures say what the reward does not see, of the same samples; the bands are as above.',
  'chart-training':
    'The faint lines show each step, the strong ones the mean over a tenth of an iteration’s steps, where it has 20 or more. Losses of different kinds, or with different β, have different scales.',
  'chart-logps': 'The lines show the log-probability of a completion under the policy that is trained.',
};

type FigureName = keyof typeof CAPTIONS;

/** Where scripts run. */
const HELP =
  'One sound plays at a time. A click on a spectrogram moves there. The button of a row, or the key “x”, goes on with the next sound of the ' +
  'row at the same position.';

/** Why an interval that misses zero is not yet a discovery. */
const ONE_SEED =
  'These intervals are over prompts: they say what other prompts would change, and nothing of another seed (--seeds). Of twenty ' +
  'comparisons of equals, about one misses zero by chance.';

/**
 * The page of a comparison, all in one file.
 *
 * @param path where the page will be, which links to sound outside of it start from
 * @param command makes the page with all sound inside
 */
export function comparisonPage(
  runs: readonly ComparedRun[],
  prompts: readonly ComparedPrompt[],
  { path, command }: { path: string; command: string },
): Promise<string> {
  const figures: Record<FigureName, Figure> = {
    'chart-rewards': comparedRewards(runs),
    'chart-frontiers': comparedFrontiers(runs),
    'chart-guards': comparedGuards(runs),
    'chart-training': comparedTraining(runs),
    'chart-logps': comparedLogProbabilities(runs),
  };
  const shown = Object.fromEntries(Object.entries(figures).filter(([, { data }]) => data.length > 0));
  const chart = (name: FigureName) => (name in shown ? figurePlace(name, shown[name], CAPTIONS[name]) : '');
  const versions = [...new Set(runs.map(({ record }) => record.versions['speech-dpo'] ?? ''))].join(', ');
  return selfContainedPage({
    title: `Comparison of ${runs.map(({ name }) => name).join(', ')}`,
    head: pageHead(runs),
    sections: [
      { id: 'results', title: 'Results', html: results(runs) },
      ...seedSection(runs),
      {
        id: 'reward',
        title: 'Reward',
        html: chart('chart-rewards') + chart('chart-frontiers') || note('No run is evaluated.'),
      },
      ...(chart('chart-guards') ? [{ id: 'guards', title: 'Guards', html: chart('chart-guards') }] : []),
      {
        id: 'training',
        title: 'Training',
        html: chart('chart-training') + chart('chart-logps') || note('No run has trained.'),
      },
      { id: 'listen', title: 'Listen', html: listenHtml(prompts, path, command) },
      { id: 'parameters', title: 'Parameters that differ', html: parameters(runs) },
    ],
    figures: shown,
    footer: `Made by speech-dpo ${versions} from the files of these runs.`,
  });
}

function pageHead(runs: readonly ComparedRun[]): string {
  const items = runs.map(({ name, label, record }) => {
    // A label names what differs between the runs, perhaps the seed.
    const seed = record.parameters.seed;
    const isTold = label.slice(name.length).includes(`seed ${seed}`);
    const told = [`trained ${taughtBy(record.reward?.name)}`, ...(isTold ? [] : [`seed ${seed}`])].join(', ');
    return `<li><b>${escapeHtml(label)}</b>, ${escapeHtml(told)}</li>`;
  });
  return `<p class="overline">speech-dpo comparison</p>
<h1>${runs.length} runs side by side</h1>
<ul>${items.join('')}</ul>
${comparisonNotes(runs).map(warning).join('\n')}`;
}

function results(runs: readonly ComparedRun[]): string {
  const differences = differenceTable(runs);
  return [
    '<h3>What each run did to its held-out reward</h3>',
    scrolling(resultTable(runs)),
    `<h3>Last policies against that of ${escapeHtml(runs[0].label)}</h3>`,
    differences.rows.length > 0
      ? scrolling(differences) + note(ONE_SEED)
      : note('There is no figure that two runs have of the same prompts.'),
    note(PAIRED_NOTE),
  ].join('\n');
}

/** Nothing where no two runs differ in their seed alone. */
function seedSection(runs: readonly ComparedRun[]): Section[] {
  const table = seedTable(runs);
  if (table.rows.length === 0) return [];
  return [{ id: 'seeds', title: 'Over seeds', html: scrolling(table) + note(SEEDS_NOTE) }];
}

function listenHtml(prompts: readonly ComparedPrompt[], path: string, command: string): string {
  if (prompts.length === 0) return note('No audio of the same held-out prompts was written.');
  const clips = prompts.flatMap((prompt) => prompt.clips.map(({ clip }) => clip));
  const blocks = prompts.map(({ prompt, instruction, clips: own }) => {
    const longest = longestSeconds(own.map(({ clip }) => clip));
    const titled = clipRows(own, ({ clip }) => clip.example);
    const rows = titled.map(({ title: rowTitle, clips: compared }) =>
      soundRow(
        compared.map(({ title, outputDirectory, clip }) =>
          clipCard(clip, {
            title: [`<b>${escapeHtml(title)}</b>`, placeOf(clip.example).join(', ')].join(' ').trim(),
            longest,
            file: [relative(dirname(path), outputDirectory), clip.example.file]
              .join('/')
              .replaceAll(sep, '/'),
            name: title,
          }),
        ),
        rowTitle,
      ),
    );
    const why = oneSampleNote(
      own.map(({ clip }) => clip),
      true,
    );
    return promptSection(prompt, instruction, [...rows, ...why], mostClips(titled));
  });
  const notes = [SCALE_NOTE, ...soundNotes(clips, command)].map(note);
  return [soundHelp(HELP), ...notes, ...blocks, soundScript({ keys: true })].join('\n');
}

function parameters(runs: readonly ComparedRun[]): string {
  const table = differingTable(runs);
  return table.rows.length > 0
    ? scrolling(table)
    : note('All parameters, the device and all versions are the same.');
}
