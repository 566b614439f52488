import { readFileSync, statSync } from 'node:fs';
import { expandPath, withoutPassword } from '../checkpoint/environment.js';
import { deviceChoices, parseDeviceChoice, type DeviceChoice } from '../engine/index.js';
import { WORKERS_VARIABLE } from '../farm/option.js';
import { decodeText } from '../checkpoint/text-file.js';
import { parseParameters, parametersSchema, type Parameters } from '../run/parameters.js';
import { presets } from '../run/presets.js';
import type { ExperimentName } from '../reward/built-in.js';
import { numberColumn, type Table } from '../view/table.js';
import { printNotice } from './notebook-kernel.js';

type Value = string | number | boolean | null;

/** Three values of one setting: for a try in seconds, for the notebook as it is meant, and what the research code used. */
export type Choice<T> = readonly [quick: T, notebook: T, original: T];

/** A notebook's settings: a choice, or one value where there is nothing to choose. */
type Choices = Readonly<Record<string, Value | Choice<Value>>>;

/** One value of each setting. */
export type Settings<C> = { -readonly [K in keyof C]: C[K] extends Choice<infer V> ? V : C[K] };

const MODES = ['quick', 'notebook', 'original'] as const;
const QUICK_NOTE =
  'Quick mode: so few prompts, samples and steps that every cell runs within moments. It shows the mechanics only; the numbers and curves below say nothing of the method.';
const MODE_VARIABLE = 'SPEECH_DPO_MODE';
const SETTINGS_VARIABLE = 'SPEECH_DPO_SETTINGS';

/**
 * Picks one value of every setting. The environment's SPEECH_DPO_MODE names the column (quick, notebook, original; default notebook), and
 * single values come from SPEECH_DPO_SETTINGS, a JSON object or the path of a JSON file, so that a notebook also runs unattended. In quick
 * mode it says that the results show mechanics only.
 *
 * @param meanings what a setting means, with its unit, for the table
 * @throws Error naming the variable that is wrong, and settings that the notebook does not have
 */
export function chooseSettings<const C extends Choices>(
  choices: C,
  meanings: Partial<Record<string, string>> = {},
  environment: NodeJS.ProcessEnv = process.env,
): { settings: Settings<C>; table: Table } {
  const mode = readMode(environment[MODE_VARIABLE]);
  const given = readGiven(environment[SETTINGS_VARIABLE]);
  const names = Object.keys(choices);
  const unknown = Object.keys(given).filter((name) => !names.includes(name));
  if (unknown.length > 0) {
    throw new Error(
      `${SETTINGS_VARIABLE}: ${unknown.join(', ')}: no such setting; this notebook has ${names.join(', ')}`,
    );
  }
  if (mode === 'quick') printNotice(QUICK_NOTE);
  const rows = names.map((name) => {
    const values = valuesOf(choices[name]);
    const own = values[MODES.indexOf(mode)];
    return { name, values, value: name in given ? checkKind(name, given[name], own) : own };
  });
  const hasMeanings = names.some((name) => meanings[name] !== undefined);
  const table: Table = {
    columns: [
      { title: 'setting' },
      ...['this run', ...MODES].map(numberColumn),
      ...(hasMeanings ? [{ title: 'meaning' }] : []),
    ],
    rows: rows.map(({ name, values, value }) => [
      name,
      ...[value, ...values].map((each) => showValue(name === 'workers' ? hidePassword(each) : each)),
      ...(hasMeanings ? [meanings[name] ?? ''] : []),
    ]),
  };
  return { settings: Object.fromEntries(rows.map(({ name, value }) => [name, value])) as Settings<C>, table };
}

/**
 * An experiment's parameters for a notebook: the experiment's preset, with the notebook's choices in place of its values; and where it is
 * to compute and which workers sample and score, which are no parameters of a run.
 *
 * @returns `workers`: the address of their queue, by the setting or by SPEECH_DPO_WORKERS; null: this process samples and scores. The table
 * shows it without its password.
 * @throws Error as {@link chooseSettings} and `parseParameters`
 */
export function chooseParameters(
  reward: ExperimentName,
  choices: { readonly [K in keyof Parameters]?: Parameters[K] | Choice<Parameters[K]> } & {
    readonly device?: DeviceChoice | Choice<DeviceChoice>;
    readonly workers?: string | null | Choice<string | null>;
  },
  environment: NodeJS.ProcessEnv = process.env,
): { parameters: Parameters; device: DeviceChoice; workers: string | null; table: Table } {
  const meanings = {
    ...Object.fromEntries(
      Object.entries(parametersSchema.shape).map(([name, schema]) => [name, schema.description]),
    ),
    device: `where to compute: ${deviceChoices.join(', ')}`,
    workers: 'address of the queue whose workers sample and score; -: this process does',
  };
  const fromEnvironment = environment[WORKERS_VARIABLE] || null;
  const withDefault =
    'workers' in choices
      ? { ...choices, workers: valuesOf(choices.workers ?? null).map((each) => each ?? fromEnvironment) }
      : choices;
  const { settings, table } = chooseSettings(withDefault as Choices, meanings, environment);
  const { device = 'auto', workers = fromEnvironment, ...given } = settings;
  if (workers !== null && typeof workers !== 'string')
    throw new Error('the setting workers has to be the address of a queue, or null');
  return {
    workers,
    parameters: parseParameters({ ...presets[reward], reward, ...given }),
    device: parseDeviceChoice(device, 'the setting device'),
    table,
  };
}

function checkKind(name: string, value: Value, own: Value): Value {
  // Without workers is a choice as well where the environment names some.
  const mayBeNone = own === null || (name === 'workers' && value === null);
  if (mayBeNone || typeof value === typeof own) return value;
  throw new Error(`${SETTINGS_VARIABLE}: ${name} is ${JSON.stringify(value)}, and has to be a ${typeof own}`);
}

function readMode(text: string | undefined): (typeof MODES)[number] {
  const mode = MODES.find((candidate) => candidate === (text || 'notebook'));
  if (!mode) throw new Error(`${MODE_VARIABLE} is "${text}"; it can be ${MODES.join(', ')}`);
  return mode;
}

function readGiven(text: string | undefined): Record<string, Value> {
  if (!text) return {};
  const isFile = !text.trimStart().startsWith('{');
  const path = isFile ? expandPath(text) : '';
  if (isFile && (statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? true))
    throw new Error(`${SETTINGS_VARIABLE}: there is no file ${path}`);
  const json = isFile ? decodeText(readFileSync(path), path) : text;
  try {
    return JSON.parse(json) as Record<string, Value>;
  } catch (error) {
    throw new Error(`${SETTINGS_VARIABLE}: not JSON (${(error as Error).message})`);
  }
}

function hidePassword(value: Value): Value {
  return typeof value === 'string' ? withoutPassword(value) : value;
}

function valuesOf(choice: Value | Choice<Value>): Choice<Value> {
  return typeof choice === 'object' && choice !== null ? choice : [choice, choice, choice];
}

function showValue(value: Value): string {
  if (value === null) return '-';
  if (typeof value === 'number' && value !== 0 && Math.abs(value) < 1e-3) return value.toExponential();
  return String(value);
}
