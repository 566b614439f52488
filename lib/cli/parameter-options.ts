import { InvalidArgumentError, Option } from 'commander';
import { z } from 'zod';
import type { RewardName } from '../reward/built-in.js';
import { parametersSchema, parseParameters, presetOf, type Parameters } from '../run/parameters.js';

type ParameterName = keyof Parameters;

/** Of the command whose reward is a person's own, or several. */
export const OWN = 'own';

/** Parameters that belong to one experiment. */
const ONLY_FOR: Partial<Record<ParameterName, RewardName>> = {
  syntheticFirstIteration: 'even-token',
  rewardModel: 'mos',
};

/** Options that are not called as their parameter: `speech-dpo mos --reward dnsmos`. */
const OPTION_NAMES: Partial<Record<ParameterName, string>> = { rewardModel: 'reward' };

/**
 * Command-line options of an experiment: one for each parameter, with the experiment's default.
 *
 * @param reward its reward's name, or {@link OWN}
 */
export function parameterOptions(reward: string): Option[] {
  return parameterNames(reward).map((name) => {
    const schema = parametersSchema.shape[name];
    const value = presetOf(reward)[name] ?? schema.parse(undefined);
    const inner = schema.unwrap();
    const flag = '--' + toKebabCase(OPTION_NAMES[name] ?? name);
    const { description = '' } = schema;
    if (inner instanceof z.ZodBoolean) {
      // What an experiment has on can be switched off.
      return value
        ? new Option(flag.replace('--', '--no-'), `do not ${description}`).default(true, 'on')
        : new Option(flag, description).default(false, 'off');
    }
    if (inner instanceof z.ZodEnum)
      return new Option(`${flag} <name>`, description).choices(inner.options.map(String)).default(value);
    if (inner instanceof z.ZodNumber) {
      return new Option(`${flag} <number>`, description).default(value).argParser(parseNumber);
    }
    return new Option(`${flag} <text>`, description).default(value, value === null ? 'none' : undefined);
  });
}

/**
 * The experiment's parameters from what commander parsed of `parameterOptions`.
 *
 * @param experiment what the options are of; default the reward
 */
export function parametersFromOptions(
  reward: string,
  options: Record<string, unknown>,
  experiment = reward,
): Parameters {
  const given = Object.fromEntries(
    parameterNames(experiment).map((name) => [name, options[OPTION_NAMES[name] ?? name]]),
  );
  return parseParameters({ ...given, reward });
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

function toKebabCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => '-' + letter.toLowerCase());
}
