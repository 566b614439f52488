import { homedir } from 'node:os';
import { join } from 'node:path';
import { writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { chooseParameters, chooseSettings } from '../../lib/notebook/settings.js';
import { temporaryFolder } from '../support/temporary-folder.js';

const choices = { epochs: [2, 6, 100], reward: ['even-token', 'mos', 'mos'], run: '' } as const;
const choose = (environment: NodeJS.ProcessEnv) => chooseSettings(choices, {}, environment).settings;

describe('settings of a notebook', () => {
  it('are the column that SPEECH_DPO_MODE names, the notebook’s own without it', () => {
    expect(choose({})).toEqual({ epochs: 6, reward: 'mos', run: '' });
    expect(choose({ SPEECH_DPO_MODE: '' }).epochs).toBe(6);
    expect(choose({ SPEECH_DPO_MODE: 'quick' })).toEqual({ epochs: 2, reward: 'even-token', run: '' });
    expect(choose({ SPEECH_DPO_MODE: 'original' }).epochs).toBe(100);
    expect(() => choose({ SPEECH_DPO_MODE: 'fast' })).toThrow('"fast"; it can be quick, notebook, original');
  });

  it('come one by one from JSON or a JSON file', async () => {
    expect(choose({ SPEECH_DPO_SETTINGS: '{"epochs": 9}' })).toEqual({ epochs: 9, reward: 'mos', run: '' });
    const file = join(temporaryFolder(), 'settings.json');
    writeFileSync(file, '{"run": "0601-1200"}');
    expect(choose({ SPEECH_DPO_SETTINGS: file }).run).toBe('0601-1200');
    expect(choose({ SPEECH_DPO_SETTINGS: '\n  {"epochs": 9}' }).epochs).toBe(9);
    expect(choose({ SPEECH_DPO_SETTINGS: '' }).epochs).toBe(6);
  });

  it.each([
    ['{"epoch": 9}', 'epoch: no such setting; this notebook has epochs, reward, run'],
    ['{"epochs": "9"}', 'epochs is "9", and has to be a number'],
    ['{', 'not JSON'],
    ['none.json', 'there is no file none.json'],
    ['~/none.json', `there is no file ${homedir()}/none.json`],
    ['~', `there is no file ${homedir()}`],
  ])('refuses %s', (given, message) => {
    expect(() => choose({ SPEECH_DPO_SETTINGS: given })).toThrow(message);
  });

  it('stand beside each other in the table', () => {
    const { table } = chooseSettings(choices, { epochs: 'passes' }, { SPEECH_DPO_SETTINGS: '{"epochs": 9}' });
    expect(table.columns.map(({ title }) => title)).toEqual([
      'setting',
      'this run',
      'quick',
      'notebook',
      'original',
      'meaning',
    ]);
    expect(table.rows[0]).toEqual(['epochs', '9', '2', '6', '100', 'passes']);
    const { rows } = chooseSettings({ learningRate: [0, 0.0005, 0.5] }, {}, {}).table;
    expect(rows).toEqual([['learningRate', '5e-4', '0', '5e-4', '0.5']]);
  });

  it('of an experiment complete its preset and are checked', () => {
    const { parameters } = chooseParameters('length', { epochs: [1, 2, 3] }, {});
    expect(parameters).toMatchObject({
      reward: 'length',
      epochs: 2,
      instruction: 'Make the audio much faster than before.',
    });
    expect(() => chooseParameters('length', { epochs: [0, 0, 0] }, {})).toThrow('wrong parameters: epochs');
    const other = chooseParameters('length', { reward: 'even-token' }, {});
    expect(other.table.rows[0].slice(0, 2)).toEqual(['reward', 'even-token']);
    expect(other.parameters.reward).toBe('even-token');
  });

  it('say where to compute, which is no parameter of a run', () => {
    const choose = (given = '{}') =>
      chooseParameters('length', { device: 'auto', epochs: 2 }, { SPEECH_DPO_SETTINGS: given });
    const { parameters, device, table } = choose();
    expect(device).toBe('auto');
    expect(parameters).not.toHaveProperty('device');
    expect(table.rows[0]).toEqual([
      ...['device', 'auto', 'auto', 'auto', 'auto'],
      'where to compute: auto, cpu, cuda, webgpu, tensorflow',
    ]);
    expect(choose('{"device": "cuda"}').device).toBe('cuda');
    expect(chooseParameters('length', {}, {}).device).toBe('auto');
    expect(() => choose('{"device": "gpu"}')).toThrow(
      'the setting device is "gpu"; it can be auto, cpu, cuda, webgpu, tensorflow',
    );
  });

  it('say who samples and scores, and show no password', () => {
    const choose = (
      environment: NodeJS.ProcessEnv,
      choices: { workers?: string | null } = { workers: null },
    ) => chooseParameters('length', choices, environment);
    const SPEECH_DPO_WORKERS = 'redis://:p@ss/w@there:6379';
    expect(choose({}).workers).toBeNull();
    expect(choose({ SPEECH_DPO_WORKERS: '' }).workers).toBeNull();
    expect(choose({ SPEECH_DPO_WORKERS }).workers).toBe(SPEECH_DPO_WORKERS);
    expect(choose({ SPEECH_DPO_WORKERS }, {}).workers).toBe(SPEECH_DPO_WORKERS);
    expect(choose({ SPEECH_DPO_WORKERS }).table.rows[0].slice(0, 3)).toEqual([
      ...['workers', 'redis://…@there:6379', 'redis://…@there:6379'],
    ]);
    expect(choose({ SPEECH_DPO_WORKERS, SPEECH_DPO_SETTINGS: '{"workers": null}' }).workers).toBeNull();
    expect(choose({ SPEECH_DPO_SETTINGS: '{"workers": "redis://a"}' }).workers).toBe('redis://a');
    expect(() => choose({ SPEECH_DPO_SETTINGS: '{"workers": 3}' })).toThrow(
      'has to be the address of a queue',
    );
    const inQuery = { SPEECH_DPO_WORKERS: 'postgres://there/db?user=me&password=s3cret' };
    expect(choose(inQuery).workers).toBe(inQuery.SPEECH_DPO_WORKERS);
    expect(JSON.stringify(choose(inQuery).table)).not.toContain('s3cret');
    expect(choose({}).parameters).not.toHaveProperty('workers');
  });
});
