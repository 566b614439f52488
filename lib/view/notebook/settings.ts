import { existsSync, readFileSync } from 'node:fs';
import {
  parseParameters,
  parametersSchema,
  presets,
  type Parameters,
  type RewardName,
} from '../../experiment/parameters.js';
import type { Table } from '../table.js';

type Value = string | number | boolean | null;

/** Three values of one setting: for a try in seconds, for the notebook as it is meant, and what the original used. */
export type Choice<T> = readonly [quick: T, notebook: T, original: T];

/** A notebook's settings: a choice, or one value where there is nothing to choose. */
export type Choices<T> = { readonly [K in keyof T]: Choice<T[K]> | T[K] };

const MODES = ['quick', 'notebook', 'original'] as const;
const MODE_VARIABLE = 'SPEECH_DPO_MODE';
const SETTINGS_VARIABLE = 'SPEECH_DPO_SETTINGS';

/** What a notebook was asked to run with, and all choices as a table that says where each value is from. */
export interface ChosenSettings<T> {
  settings: T;
  mode: (typeof MODES)[number];
  table: Table;
}

/**
 * Picks one value of every setting. The environment's SPEECH_DPO_MODE names the column (quick, notebook, original; default notebook), and
 * single values come from SPEECH_DPO_SETTINGS, a JSON object or the path of a JSON file, so that a notebook also runs unattended.
 *
 * @param meanings what a setting means, with its unit, for the table
 * @throws Error naming the variable that is wrong, and settings that the notebook does not have
 */
export function chooseSettings<T extends Record<string, Value>>(
  choices: Choices<T>,
  meanings: Partial<Record<keyof T & string, string>> = {},
  environment: NodeJS.ProcessEnv = process.env,
): ChosenSettings<T> {
  const mode = readMode(environment[MODE_VARIABLE]);
  const given = readGiven(environment[SETTINGS_VARIABLE]);
  const names = Object.keys(choices) as (keyof T & string)[];
  const unknown = Object.keys(given).filter((name) => !names.includes(name));
  if (unknown.length > 0) {
    throw new Error(
      `${SETTINGS_VARIABLE}: ${unknown.join(', ')}: no such setting; this notebook has ${names.join(', ')}`,
    );
  }
  const columns = names.map((name) => ({ name, values: valuesOf(choices[name]) }));
  const chosen = columns.map(({ name, values }) =>
    name in given ? given[name] : values[MODES.indexOf(mode)],
  );
  const table: Table = {
    columns: ['setting', 'this run', ...MODES, 'meaning'].map((title, i) => ({
      title,
      align: i === 0 || i === 5 ? 'left' : 'right',
    })),
    rows: columns.map(({ name, values }, i) => [
      name,
      name in given ? `${showValue(chosen[i])} (${SETTINGS_VARIABLE})` : showValue(chosen[i]),
      ...values.map(showValue),
      meanings[name] ?? '',
    ]),
  };
  return { settings: Object.fromEntries(names.map((name, i) => [name, chosen[i]])) as T, mode, table };
}

/**
 * An experiment's parameters for a notebook: the experiment's preset, with the notebook's choices in place of its values.
 *
 * @throws Error as {@link chooseSettings} and `parseParameters`
 */
export function chooseParameters(
  reward: RewardName,
  choices: Partial<Choices<Parameters>>,
  environment: NodeJS.ProcessEnv = process.env,
): { parameters: Parameters; table: Table } {
  const meanings = Object.fromEntries(
    Object.entries(parametersSchema.shape).map(([name, schema]) => [name, schema.description]),
  );
  const { settings, table } = chooseSettings(
    choices as Choices<Record<string, Value>>,
    meanings,
    environment,
  );
  return { parameters: parseParameters({ ...presets[reward], ...settings, reward }), table };
}

function readMode(text: string | undefined): (typeof MODES)[number] {
  const mode = MODES.find((candidate) => candidate === (text || 'notebook'));
  if (!mode) throw new Error(`${MODE_VARIABLE} is "${text}"; it can be ${MODES.join(', ')}`);
  return mode;
}

function readGiven(text: string | undefined): Record<string, Value> {
  if (!text) return {};
  const isFile = !text.trimStart().startsWith('{');
  if (isFile && !existsSync(text)) throw new Error(`${SETTINGS_VARIABLE}: there is no file ${text}`);
  try {
    return JSON.parse(isFile ? readFileSync(text, 'utf8') : text) as Record<string, Value>;
  } catch (error) {
    throw new Error(`${SETTINGS_VARIABLE}: not JSON (${(error as Error).message})`);
  }
}

function valuesOf(choice: unknown): readonly [Value, Value, Value] {
  return (Array.isArray(choice) ? choice : [choice, choice, choice]) as unknown as readonly [
    Value,
    Value,
    Value,
  ];
}

function showValue(value: Value): string {
  if (value === null) return '-';
  if (typeof value === 'number' && value !== 0 && Math.abs(value) < 1e-3) return value.toExponential();
  return String(value);
}
