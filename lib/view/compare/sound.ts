/** The same held-out prompts by every run. */
import type { AudioExample } from '../../experiment/audio-examples.js';
import { STANDINGS } from '../../experiment/ranked-samples.js';
import { isSample, ROLE_NAMES, loadClipGroups, type ClipOrProblem } from '../clips.js';
import type { SoundBudget } from '../sound-budget.js';
import { haveSamePrompts, type ComparedRun } from './runs.js';

/** What the runs made of one prompt. */
export interface ComparedPrompt {
  prompt: number;
  instruction: string;
  clips: { title: string; outputDirectory: string; clip: ClipOrProblem }[];
}

/** Of each policy the first sample of a prompt, or the best, the median and the worst, where every run has kept their sound. */
export type ComparedSamples = 'first' | 'ranked';

/**
 * Source, target and original policy of the first run, then what every run's last policy made of the same prompt, one standing after the
 * other. Runs with other prompts are left out. The original policy of a run that starts from another one stands before its own.
 *
 * @param budget for the sound of all of them
 * @param choice.prompts how many, from the first one on; default: all
 * @param choice.samples default: the first ones
 */
export async function loadComparedPrompts(
  runs: readonly ComparedRun[],
  budget: SoundBudget,
  { prompts = Infinity, samples = 'first' }: { prompts?: number; samples?: ComparedSamples } = {},
): Promise<ComparedPrompt[]> {
  const [first, ...others] = runs;
  const same = [first, ...others.filter((run) => haveSamePrompts(first, run))];
  const places = same.flatMap((run) => {
    const isNew = run === first || startOf(run) !== startOf(first);
    const roles: AudioExample['role'][] = [
      ...(run === first ? (['source', 'target'] as const) : []),
      ...(isNew ? (['original'] as const) : []),
      'trained',
    ];
    return roles.map((role) => ({ run, role }));
  });
  const heldOut =
    first.audio?.examples.filter(({ split, prompt }) => split === 'test' && prompt < prompts) ?? [];
  const instructions = new Map(heldOut.map(({ prompt, instruction }) => [prompt, instruction]));
  const groups = [...instructions.keys()]
    .sort((a, b) => a - b)
    .map((prompt) => {
      const examples = new Map(same.map((run) => [run, examplesOf(run, prompt)]));
      const isRanked = samples === 'ranked' && [...examples.values()].every(hasStandings);
      return [undefined, ...STANDINGS].flatMap((standing) =>
        places.flatMap(({ run, role }) => {
          const wanted = isRanked && isSample({ role }) ? standing !== undefined : standing === undefined;
          const example = examples
            .get(run)!
            .find((each) => wanted && each.role === role && each.standing === standing);
          const title = titleOf(run, role, run === first);
          return example ? [{ title, outputDirectory: run.directories.outputDirectory, example }] : [];
        }),
      );
    })
    .filter(({ length }) => length > 0);
  const loaded = await loadClipGroups(groups, budget);
  return groups.map((group, i) => {
    const { prompt, instruction } = group[0].example;
    return { prompt, instruction, clips: group.map((each, k) => ({ ...each, clip: loaded[i][k] })) };
  });
}

const examplesOf = ({ audio }: ComparedRun, prompt: number): AudioExample[] =>
  (audio?.examples ?? []).filter((each) => each.split === 'test' && each.prompt === prompt);

/** Where no policy wrote anything there is nothing to rank. */
function hasStandings(examples: readonly AudioExample[]): boolean {
  const samples = examples.filter(isSample);
  return samples.length === 0 || samples.some(({ standing }) => standing !== undefined);
}

function startOf({ record }: ComparedRun): string {
  const { model, policy, nar, codec } = record.parameters;
  return JSON.stringify([model, policy, nar, codec]);
}

function titleOf({ label }: ComparedRun, role: AudioExample['role'], isFirst: boolean): string {
  if (role === 'trained') return label;
  return isFirst ? ROLE_NAMES[role] : `${ROLE_NAMES[role]} of ${label}`;
}
