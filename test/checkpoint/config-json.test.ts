import { describe, expect, test } from 'vitest';
import { configJson, findFloats } from '../../lib/checkpoint/config-json.js';

/** What JavaScript makes of a JSON text, written again. */
const rewrite = (text: string): string =>
  configJson(JSON.parse(text) as Record<string, unknown>, findFloats(text));

describe('configJson', () => {
  test.each([
    ['{"a": 0.0, "b": 0, "c": -2.0, "d": 1e0, "e": 0.5, "f": 1e-05, "g": 1e22, "h": 2E+2}'],
    ['{"a": {"a": 1.0, "b": [1, 1.0, {"a": 3.0, "b": 3}]}, "b": [[0.0], [0]], "c": [], "d": {}}'],
    [
      '{"a": "0.0", "b": "say \\"1.0\\", \\\\", "c": "float", "1.0": 1, "d\\"2.0": "}", "e": null, "f": true}',
    ],
    ['{"a": "0.0\\\\", "b": 0.0, "c": "\\\\\\"", "d": 3}'],
  ])('keeps floats and integers apart in %s', (text) => {
    const written = rewrite(text);
    expect(JSON.parse(written)).toEqual(JSON.parse(text));
    const numbers = (json: string): string[] =>
      json
        .replace(/"(?:[^"\\]|\\.)*"/g, '')
        .match(/-?[\d.]+(?:[eE][+-]?\d+)?/g)!
        .map((number) => `${Number(number)} ${/[.eE]/.test(number) ? 'float' : 'int'}`);
    expect(numbers(written)).toEqual(numbers(text));
  });

  test('writes what transformers declares as floats with a point, also where a file has integers', () => {
    const read =
      '{"encoder_layerdrop": 0, "init_std": 1, "label2id": {"temperature": 0}, "length_penalty": 2}';
    expect(rewrite(read)).toBe(
      '{\n  "encoder_layerdrop": 0.0,\n  "init_std": 1.0,\n  "label2id": {\n    "temperature": 0\n  },\n  "length_penalty": 2.0\n}\n',
    );
    // Source: transformers, models/bart/configuration_bart.py: all that is a probability, and no count of layers or heads.
    const dropouts = ['dropout', 'attention_dropout', 'activation_dropout', 'classifier_dropout'];
    for (const name of [...dropouts, 'encoder_layerdrop', 'decoder_layerdrop'])
      expect(configJson({ [name]: 0 })).toBe(`{\n  "${name}": 0.0\n}\n`);
    expect(configJson({ encoder_layers: 1 })).toBe('{\n  "encoder_layers": 1\n}\n');
  });

  test('otherwise writes as JSON.stringify does', () => {
    const content = { a: { y: [1, [], {}, 'ü\n', null, false], x: undefined }, b: 1.5, c: 1e-7, d: 1e21 };
    expect(configJson(content)).toBe(`${JSON.stringify(content, null, 2)}\n`);
  });
});
