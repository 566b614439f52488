import { describe, expect, it } from 'vitest';
import { parseParameters } from '../../lib/run/parameters.js';
import { presets } from '../../lib/run/presets.js';

describe('parseParameters', () => {
  it('fills in the defaults of the quick even-token run', () => {
    expect(parseParameters({})).toMatchObject({
      reward: 'even-token',
      iterations: 3,
      trainPrompts: 10,
      testPrompts: 10,
      sampleSize: 10,
      numEval: 10,
      temperature: 1,
      syntheticFirstIteration: false,
    });
  });

  it('replaces every instruction in the length preset', () => {
    expect(parseParameters(presets.length)).toMatchObject({
      reward: 'length',
      instruction: 'Make the audio much faster than before.',
    });
  });

  it('names an unknown parameter', () => {
    expect(() => parseParameters({ bata: 0.2 })).toThrow(/wrong parameters: .*"bata"/);
  });

  it('names the parameter, the limit and all further mistakes in one line', () => {
    expect(() => parseParameters({ sampleSize: 1, topP: 2 })).toThrow(
      /^wrong parameters: sampleSize: .*>=2; topP: .*<=1$/,
    );
  });

  it('asks for a whole number where a fraction is given', () => {
    expect(() => parseParameters({ epochs: 1.5, seed: 0.5 })).toThrow(
      /^wrong parameters: seed: expected a whole number; epochs: expected a whole number$/,
    );
  });

  it.each(['sampleSize', 'numEval', 'epochs'])('refuses more %s than fit into memory', (name) => {
    expect(parseParameters({ [name]: 100_000 })).toHaveProperty(name, 100_000);
    expect(() => parseParameters({ [name]: 1e9 })).toThrow(
      `wrong parameters: ${name}: too big: expected number to be <=100000`,
    );
  });

  it('takes 0 for the least reward of a good sample', () => {
    expect(parseParameters({ dropUniform: true, minChosen: 0 })).toHaveProperty('minChosen', 0);
  });

  it('refuses synthetic pairs for other rewards than even-token', () => {
    expect(() => parseParameters({ reward: 'length', syntheticFirstIteration: true })).toThrow(
      'syntheticFirstIteration works with the even-token reward only, not with length',
    );
  });

  it.each([
    [{ dropUniform: true }, 'dropUniform needs minChosen'],
    [{ dropUniform: true, minChosen: 1, pairing: 'target' }, 'dropUniform compares samples with one another'],
    [{ syntheticFirstIteration: true, pairing: 'target' }, 'syntheticFirstIteration makes pairs up'],
    [{ syntheticFirstIteration: true, reuseEvaluation: true }, 'syntheticFirstIteration makes pairs up, and'],
    [{ reuseEvaluation: true, numEval: 5 }, 'reuseEvaluation makes pairs of the samples that are evaluated'],
    [
      { reuseEvaluation: true, sampleSize: 5 },
      'reuseEvaluation makes pairs of the samples that are evaluated',
    ],
    [{ earlyStopping: 'loss', validationShare: 0 }, 'earlyStopping loss needs a validationShare above 0'],
    [{ earlyStopping: 'accuracy', loss: 'kto' }, 'earlyStopping accuracy needs pairs'],
    [
      { reference: 'moving', loss: 'simpo' },
      'the loss simpo has no reference, so that reference moving would',
    ],
    [{ reference: 'first', loss: 'simpo,sft' }, 'the losses simpo,sft have no reference, so that'],
    [{ pairing: 'best' }, 'pairing: '],
    [{ schedule: 'step' }, 'schedule: '],
    [{ warmupSteps: -1 }, 'warmupSteps: '],
    [{ patience: 0 }, 'patience: '],
  ])('refuses %j in one sentence', (parameters, sentence) => {
    expect(() => parseParameters(parameters)).toThrow(`wrong parameters: ${sentence}`);
  });

  it.each([
    { reference: 'none', loss: 'simpo' },
    { reference: 'moving', loss: 'simpo,sigmoid' },
  ])('takes %j', (parameters) => {
    expect(parseParameters(parameters)).toMatchObject(parameters);
  });
});
