import { InvalidArgumentError, Option } from 'commander';
import { z } from 'zod';
import { parametersSchema, parseParameters, presets } from '../experiment/parameters.js';
import type { Parameters, RewardName } from '../experiment/parameters.js';

type ParameterName = keyof Parameters;

/** Command-line options of an experiment: one for each parameter, with the experiment's default. */
export function parameterOptions(reward: RewardName): Option[] {
  return parameterNames(reward).map((name) => {
    const schema = parametersSchema.shape[name];
    const value = presets[reward][name] ?? schema.parse(undefined);
    const inner = schema.unwrap();
    const flag = '--' + toKebabCase(name);
    const { description = '' } = schema;
    if (inner instanceof z.ZodBoolean) return new Option(flag, description).default(value, 'off');
    if (inner instanceof z.ZodNumber) {
      return new Option(`${flag} <number>`, description).default(value).argParser(parseNumber);
    }
    return new Option(`${flag} <text>`, description).default(value, value === null ? 'none' : undefined);
  });
}

/** The experiment's parameters from what commander parsed of `parameterOptions`. */
export function parametersFromOptions(reward: RewardName, options: Record<string, unknown>): Parameters {
  const given = Object.fromEntries(parameterNames(reward).map((name) => [name, options[name]]));
  return parseParameters({ ...given, reward });
}

function parameterNames(reward: RewardName): ParameterName[] {
  const names = Object.keys(parametersSchema.shape) as ParameterName[];
  return names.filter(
    (name) => name !== 'reward' && (name !== 'syntheticFirstIteration' || reward === 'even-token'),
  );
}

/** A number as a command-line argument. */
export function parseNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) throw new InvalidArgumentError('Expected a number.');
  return value;
}

function toKebabCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => '-' + letter.toLowerCase());
}
