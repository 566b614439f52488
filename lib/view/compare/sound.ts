/** The same held-out prompts by every run. */
import type { AudioExample } from '../../experiment/audio-examples.js';
import { ROLE_NAMES, loadClipGroups, type ClipOrProblem } from '../clips.js';
import type { SoundBudget } from '../sound-budget.js';
import { haveSamePrompts, type ComparedRun } from './runs.js';

/** What the runs made of one prompt. */
export interface ComparedPrompt {
  prompt: number;
  instruction: string;
  clips: { title: string; outputDirectory: string; clip: ClipOrProblem }[];
}

/**
 * Source, target and original policy of the first run, then what every run's last policy made of the same prompt. Runs with other prompts
 * are left out. The original policy of a run that starts from another one stands before its own.
 *
 * @param budget for the sound of all of them
 * @param prompts how many, from the first one on
 */
export async function loadComparedPrompts(
  runs: readonly ComparedRun[],
  budget: SoundBudget,
  prompts = Infinity,
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
    .map((prompt) =>
      places.flatMap(({ run, role }) => {
        const example = run.audio?.examples.find(
          ({ split, standing, ...each }) =>
            split === 'test' && each.prompt === prompt && each.role === role && standing === undefined,
        );
        return example
          ? [
              {
                title: titleOf(run, role, run === first),
                outputDirectory: run.directories.outputDirectory,
                example,
              },
            ]
          : [];
      }),
    )
    .filter(({ length }) => length > 0);
  const loaded = await loadClipGroups(groups, budget);
  return groups.map((group, i) => {
    const { prompt, instruction } = group[0].example;
    return { prompt, instruction, clips: group.map((each, k) => ({ ...each, clip: loaded[i][k] })) };
  });
}

function startOf({ record }: ComparedRun): string {
  const { model, policy, nar, codec } = record.parameters;
  return JSON.stringify([model, policy, nar, codec]);
}

function titleOf({ label }: ComparedRun, role: AudioExample['role'], isFirst: boolean): string {
  if (role === 'trained') return label;
  return isFirst ? ROLE_NAMES[role] : `${ROLE_NAMES[role]} of ${label}`;
}
