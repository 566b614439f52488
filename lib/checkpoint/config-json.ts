/**
 * config.json as Python reads it: 0 and 0.0 are two things there, and transformers 5 refuses a model that has the one where it wants the
 * other. JavaScript has one kind of number, so which ones are floats is remembered from the text that was read.
 */
import { parseJson } from './json-file.js';
import { readTextFile } from './text-file.js';

/** Where a JSON text has floats, see {@link findFloats}. */
export type Floats = ReadonlySet<string>;

/** Numbers that transformers declares as floats, of PretrainedConfig, BartConfig and GenerationConfig, whatever wrote the file. */
const FLOAT_FIELDS = new Set([
  'activation_dropout',
  'assistant_confidence_threshold',
  'assistant_ensemble_weight',
  'attention_dropout',
  'classifier_dropout',
  'decoder_layerdrop',
  'diversity_penalty',
  'dropout',
  'encoder_layerdrop',
  'encoder_repetition_penalty',
  'epsilon_cutoff',
  'eta_cutoff',
  'guidance_scale',
  'init_std',
  'length_penalty',
  'max_time',
  'min_p',
  'penalty_alpha',
  'repetition_penalty',
  'temperature',
  'top_h',
  'top_p',
  'typical_p',
]);

const TOKEN = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
const FLOAT = /^-?\d+[.eE]/;
const MARK = 'float';

/** Which numbers of a configuration its file wrote as floats. */
const floatsRead = new WeakMap<object, Floats>();

/**
 * Reads a config.json.
 *
 * @param parse makes a configuration of the file's content
 * @throws one sentence naming the file that is missing or no JSON, and what `parse` throws
 */
export async function readConfig<Config extends object>(
  file: string,
  parse: (content: unknown) => Config,
): Promise<Config> {
  const text = await readTextFile(file);
  const config = parse(parseJson(text, file));
  floatsRead.set(config, findFloats(text));
  return config;
}

/** Which numbers of a configuration were floats in the file that it was read from. */
export function floatsOf(config: object): Floats | undefined {
  return floatsRead.get(config);
}

/** The places of the numbers that a JSON text writes with a point or an exponent. */
export function findFloats(text: string): Floats {
  const floats = new Set<string>();
  const visit = (value: unknown, place: string): void => {
    if (value === MARK) floats.add(place);
    if (typeof value !== 'object' || value === null) return;
    for (const [key, part] of Object.entries(value)) visit(part, placeOf(place, key));
  };
  // A string of the file that reads like the mark does no harm: it is no number when it is written.
  visit(JSON.parse(text.replace(TOKEN, (token) => (FLOAT.test(token) ? `"${MARK}"` : token))), '');
  return floats;
}

/**
 * JSON as transformers writes it: keys sorted, two spaces, a final newline, and floats with a point.
 *
 * @param floats which numbers are floats, beside those that transformers declares as such
 */
export function configJson(content: Record<string, unknown>, floats: Floats = new Set()): string {
  const render = (value: unknown, place: string, indent: string, isFloat: boolean): string => {
    if (typeof value === 'number' && (isFloat || floats.has(place))) return floatText(value);
    if (typeof value !== 'object' || value === null) return JSON.stringify(value);
    const inner = `${indent}  `;
    const parts = Object.entries(value)
      .filter(([, part]) => part !== undefined)
      .map(([key, part]) => {
        const text = render(part, placeOf(place, key), inner, place === '' && FLOAT_FIELDS.has(key));
        return Array.isArray(value) ? text : `${JSON.stringify(key)}: ${text}`;
      });
    const [open, close] = Array.isArray(value) ? '[]' : '{}';
    return parts.length === 0
      ? `${open}${close}`
      : `${open}\n${inner}${parts.join(`,\n${inner}`)}\n${indent}${close}`;
  };
  const sorted = Object.entries(content).sort(([a], [b]) => (a < b ? -1 : 1));
  return `${render(Object.fromEntries(sorted), '', '', false)}\n`;
}

function placeOf(parent: string, key: string): string {
  return `${parent}\0${key}`;
}

function floatText(value: number): string {
  const text = JSON.stringify(value);
  return /^-?\d+$/.test(text) ? `${text}.0` : text;
}
