import { InvalidArgumentError, Option, type Command } from 'commander';
import { z } from 'zod';
import type { ExperimentName } from '../reward/built-in.js';
import { parametersSchema, parseParameters, type Parameters } from '../run/parameters.js';
import { ONE_REWARD } from '../run/reward-parameters.js';
import { presetOf } from '../run/presets.js';

type ParameterName = keyof Parameters;

/** Of the command whose reward is a person's own, or several. */
export const OWN = 'own';

/** Parameters that belong to one experiment. */
const ONLY_FOR: Partial<Record<ParameterName, ExperimentName>> = {
  syntheticFirstIteration: 'even-token',
  rewardModel: 'mos',
};

/**
 * Command-line options of an experiment: one for each parameter, with the experiment's default.
 *
 * @param reward its reward's name, or {@link OWN}
 */
export function parameterOptions(reward: string): Option[] {
  return parameterNames(reward).map((name) => {
    const schema = parametersSchema.shape[name];
    const value = presetOf(reward)[name] ?? schema.parse(undefined);
    const known: z.ZodType = schema.unwrap();
    const inner = known instanceof z.ZodNullable ? known.unwrap() : known;
    const flag = flagOf(name);
    const description = inFlags(schema.description ?? '');
    if (inner instanceof z.ZodBoolean) {
      // What an experiment has on can be switched off.
      return value
        ? new Option(flag.replace('--', '--no-'), `do not ${description}`).default(true, 'on')
        : new Option(flag, description).default(false, 'off');
    }
    if (inner instanceof z.ZodEnum)
      return new Option(`${flag} <name>`, description).choices(inner.options.map(String)).default(value);
    if (inner instanceof z.ZodNumber) {
      return new Option(`${flag} <number>`, description)
        .default(value, value === null ? 'none' : undefined)
        .argParser(parseNumber);
    }
    return new Option(`${flag} <text>`, description).default(value, value === null ? 'none' : undefined);
  });
}

/**
 * The experiment's parameters from what commander parsed of `parameterOptions`.
 *
 * @param experiment what the options are of; default the reward
 * @param base a recorded run's parameters, in place of which the given ones stand
 */
export function parametersFromOptions(
  reward: string,
  options: Record<string, unknown>,
  experiment = reward,
  base: Partial<Parameters> = {},
): Parameters {
  const names = parameterNames(experiment).filter((name) => options[name] !== undefined);
  const given = Object.fromEntries(names.map((name) => [name, options[name]]));
  // What goes with the rewards of the recorded run alone.
  const others = base.reward === undefined || base.reward === reward ? {} : OF_ANY_REWARD;
  return parseParameters({ ...base, ...others, ...given, reward });
}

const OF_ANY_REWARD: Partial<Parameters> = { ...ONE_REWARD, syntheticFirstIteration: false };

/**
 * Options of a command that does not know its settings beforehand: those that are given, and the settings of the reward in place of the
 * command's defaults.
 *
 * @param base a recorded run's parameters, which are settings enough
 */
export function withPreset(
  reward: string,
  options: Record<string, unknown>,
  command: Pick<Command, 'getOptionValueSource'>,
  base?: Partial<Parameters>,
): Record<string, unknown> {
  const { reward: _, ...preset } = base ? {} : presetOf(reward);
  const given = Object.entries(options).filter(([name]) => command.getOptionValueSource(name) !== 'default');
  return { ...preset, ...Object.fromEntries(given) };
}

function parameterNames(reward: string): ParameterName[] {
  const names = Object.keys(parametersSchema.shape) as ParameterName[];
  return names.filter((name) => name !== 'reward' && (ONLY_FOR[name] ?? reward) === reward);
}

/** A number as a command-line argument. */
export function parseNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) throw new InvalidArgumentError('Expected a number.');
  return value;
}

/** Names with commas between them, as a command-line argument; each once. */
export function parseList(text: string): string[] {
  return [...new Set(text.split(',').map((name) => name.trim()))];
}

function flagOf(name: string): string {
  return '--' + name.replace(/[A-Z]/g, (letter) => '-' + letter.toLowerCase());
}

const NAMES = Object.keys(parametersSchema.shape);
const isOfWords = (name: string) => /[A-Z]/.test(name);
const SEVERAL_WORDS = new RegExp(`\\b(?:${NAMES.filter(isOfWords).join('|')})\\b`, 'g');
/** One word is a name only where a sentence about wrong parameters goes on as after one. */
const ONE_WORD = new RegExp(
  `\\b(?:${NAMES.filter((name) => !isOfWords(name)).join('|')})(?=: | and | both | goes with )`,
  'g',
);

/** A sentence about wrong parameters, which it calls by their options; any other as it is. */
export function namingOptions(sentence: string): string {
  return sentence.startsWith('wrong parameters: ')
    ? inFlags(sentence.replaceAll(ONE_WORD, flagOf))
    : sentence;
}

/** A text that calls parameters of several words by the options that set them. */
function inFlags(text: string): string {
  return text.replaceAll(SEVERAL_WORDS, flagOf);
}
