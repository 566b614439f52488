/** Runs side by side: against numbers worked out from the fixtures. */
import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { compare } from '../../lib/notebook/compare.js';
import { STANDINGS } from '../../lib/experiment/ranked-samples.js';
import { bestOfNDivergence } from '../../lib/run/best-of-n.js';
import { bootstrapMean } from '../../lib/run/bootstrap.js';
import type { RunEvent } from '../../lib/run/events.js';
import { parseParameters, type Parameters } from '../../lib/run/parameters.js';
import type { RunRecord } from '../../lib/run/run-files.js';
import { studentInterval } from '../../lib/run/student-t.js';
import { writeComparison } from '../../lib/view/compare.js';
import { comparedGuards, comparedRewards, comparedTraining } from '../../lib/view/compare/curves.js';
import { comparedFrontiers } from '../../lib/view/compare/frontiers.js';
import { comparisonNotes, readComparedRuns } from '../../lib/view/compare/runs.js';
import { overSeeds, seedTable } from '../../lib/view/compare/seeds.js';
import { loadComparedPrompts } from '../../lib/view/compare/sound.js';
import { differenceTable, differingTable, resultTable } from '../../lib/view/compare/tables.js';
import { formatChange } from '../../lib/format.js';
import { RUN_COLORS } from '../../lib/view/figure.js';
import { NO_LIMIT } from '../../lib/view/sound-budget.js';
import {
  HOSTILE_INSTRUCTION,
  evaluated,
  fixtureEvents,
  fixtureExamples,
  writeFixtureRun,
} from './fixture-run.js';

const roots: string[] = [];
afterEach(async () => {
  for (const root of roots.splice(0)) await rm(root, { recursive: true });
});

const PARAMETERS = { iterations: 2, trainPrompts: 6, testPrompts: 6, numEval: 2 };

interface Made {
  parameters?: Partial<Parameters>;
  record?: Partial<RunRecord>;
  events?: RunEvent[];
  examples?: typeof fixtureExamples;
}

/** Folders of runs that are called run-0, run-1, ... */
async function makeRuns(...made: Made[]): Promise<string[]> {
  return Promise.all(
    made.map(async ({ parameters, record, events, examples }, i) => {
      const all = parseParameters({ ...PARAMETERS, ...parameters });
      const run = await writeFixtureRun({
        events,
        examples,
        record: { run: `run-${i}`, parameters: all, seed: all.seed, ...record },
      });
      roots.push(run.root);
      return run.outputDirectory;
    }),
  );
}

const read = async (...made: Made[]) => readComparedRuns(await makeRuns(...made));

/** The fixture's two iterations, after which every held-out reward is higher by what `gains` say of its prompt. */
function gained(gains: readonly number[]): RunEvent[] {
  return fixtureEvents(2).map((event) => {
    if (event.type !== 'evaluated' || event.split !== 'test' || event.iteration < 1) return event;
    const rewards = event.rewards.map((reward, i) => reward + gains[Math.floor(i / 2)]);
    return { ...evaluated(event.iteration, 'test', rewards, event.lengths), seconds: 1 } as RunEvent;
  });
}

const GAINS = [0.5, 0.5, 0.5, 0, -0.5, 1];

describe('tables', () => {
  it('compare last policies on the same prompts, and each with its own original', async () => {
    const runs = await read(
      { parameters: { beta: 0.1 } },
      { parameters: { beta: 0.5 }, events: gained(GAINS) },
    );
    expect(runs.map(({ label }) => label)).toEqual(['run-0: beta 0.1', 'run-1: beta 0.5']);
    const { low, high } = bootstrapMean(GAINS);
    const std = Math.sqrt(GAINS.reduce((total, gain) => total + (gain - 1 / 3) ** 2, 0) / 5);
    const interval = [1 / 3, low, high].map((value) => formatChange(value));
    expect(differenceTable(runs).rows).toEqual([
      // Four prompts of six are better and one is equal.
      [
        'reward, run-1: beta 0.5',
        `${interval[0]} (${interval[1]} to ${interval[2]})`,
        '6',
        (1 / 3 / std).toFixed(2),
        '75 %',
      ],
      ['length in tokens, run-1: beta 0.5', '0.0 (0.0 to 0.0)', '6', '-', ''],
    ]);
    expect(resultTable(runs).rows[0]).toEqual([
      ...['run-0: beta 0.1', 'iteration 1', '1.25', '3.25', '+2.00 (+2.00 to +2.00)', '6', '-', '100 %'],
    ]);
    expect(differingTable(runs).rows).toEqual([
      ['beta', '0.1', '0.5', 'strength of the pull to the reference policy'],
    ]);
  });

  it('pair guard figures by prompt; lower is better where it is', async () => {
    const guarded = (iteration: number, dnsmos: number, clipping: number): RunEvent => ({
      type: 'guarded',
      iteration,
      guards: [
        {
          figure: 'dnsmos',
          mean: dnsmos,
          promptMeans: Array.from({ length: 6 }, (_, i) => dnsmos + i),
          missing: 0,
        },
        {
          figure: 'clipping',
          mean: clipping,
          promptMeans: [clipping, null, clipping, clipping, clipping, clipping],
          missing: 2,
        },
      ],
      warnings: [],
    });
    const runs = await read(
      { events: [...fixtureEvents(1), guarded(-1, 3, 0.1), guarded(0, 3, 0.1)] },
      { events: [...fixtureEvents(1), guarded(-1, 3, 0.1), guarded(0, 2.5, 0.05)] },
    );
    expect(differenceTable(runs).rows.slice(2)).toEqual([
      ['DNSMOS OVRL, run-1', '−0.50 (−0.50 to −0.50)', '6', '-', '0 %'],
      ['clipped samples, run-1', '−5.0 points (−5.0 points to −5.0 points)', '5', '-', '100 %'],
    ]);
    const { data, layout } = comparedGuards(runs);
    expect(layout.annotations?.map(({ text }) => text)).toEqual(['<b>DNSMOS OVRL</b>']);
    const lines = data.filter((trace) => 'name' in trace && trace.name !== undefined);
    expect(lines.map((trace) => ('y' in trace ? trace.y : undefined))).toEqual([
      [3, 3],
      [3, 2.5],
    ]);
  });
});

describe('runs', () => {
  it('of one name are called by their folders', async () => {
    const runs = await read({ record: { run: 'same' } }, { record: { run: 'same' } });
    expect(runs.map(({ name }) => name)).toEqual(
      runs.map(({ directories }) => relative('.', directories.outputDirectory)),
    );
  });

  it('are told apart by what differs, where that is short', async () => {
    const labelsOf = async (other: Partial<Parameters>) =>
      (await read({}, { parameters: other })).map(({ label }) => label);
    expect(await labelsOf({ beta: 0.5, epochs: 9 })).toEqual([
      'run-0: beta 0.1, epochs 3',
      'run-1: beta 0.5, epochs 9',
    ]);
    expect(await labelsOf({ beta: 0.5, epochs: 9, seed: 7 })).toEqual(['run-0', 'run-1']);
    expect(await labelsOf({ instruction: 'Slower than before.' })).toEqual([
      'run-0: instruction none',
      'run-1',
    ]);
  });
});

describe('curves', () => {
  it('have the means of held-out rewards within the interval over prompts, and every step of the training', async () => {
    const runs = await read({}, { events: gained(GAINS) });
    const { data } = comparedRewards(runs);
    const ys = data.map((trace) => ('y' in trace ? (trace.y as number[]) : []));
    expect(data).toHaveLength(6);
    expect(ys.slice(4)).toEqual([
      [1.25, 2.25, 3.25],
      [1.25, 2.25, 3.25 + 1 / 3],
    ]);
    const last = runs[1].events.findLast((event) => event.type === 'evaluated' && event.split === 'test')!;
    const { low, high } = bootstrapMean((last as { promptMeans: number[] }).promptMeans);
    expect(ys[2][2]).toBeCloseTo(high, 12);
    expect(ys[3][2]).toBeCloseTo(low, 12);
    const loss = comparedTraining(runs).data.filter((trace) => 'yaxis' in trace && trace.yaxis === 'y');
    // Each run's steps faintly, then its line; the iterations are parted.
    expect(loss).toHaveLength(4);
    for (const trace of loss) {
      const line = trace as unknown as { x: number[]; y: number[] };
      expect(line.x).toEqual([1, 2, 3, 4, null, 5, 6, 7, 8]);
      expect(line.y.map((value) => value && Number(value.toFixed(6)))).toEqual([
        0.6,
        0.5,
        0.4,
        0.3,
        null,
        0.6,
        0.5,
        0.4,
        0.3,
      ]);
    }
  });

  it.each<[string[], string, string]>([
    [['hinge', 'hinge'], 'hinge loss', 'margin (β × nats)'],
    [['sigmoid', 'simpo'], 'loss (nats)', 'margin'],
    [['sigmoid', 'ipo'], 'loss', 'margin (β × nats)'],
  ])('of the losses %j have the axes "%s" and "%s"', async (losses, lossTitle, marginTitle) => {
    const { layout } = comparedTraining(await read(...losses.map((loss) => ({ parameters: { loss } }))));
    expect(layout.yaxis?.title).toMatchObject({ text: lossTitle });
    expect(layout.yaxis2?.title).toMatchObject({ text: marginTitle });
  });

  it('of guards that are shares are in percent, and so are their intervals', async () => {
    const promptMeans = [0.5, 0.7, 0.9, 0.6, 0.8, 1];
    const guarded = (iteration: number, lost: number): RunEvent => ({
      type: 'guarded',
      iteration,
      guards: [
        {
          figure: 'fidelity',
          mean: 0.75 - lost,
          promptMeans: promptMeans.map((mean) => mean - lost),
          missing: 0,
        },
      ],
      warnings: [],
    });
    const events = [...fixtureEvents(1), guarded(-1, 0), guarded(0, 0.25)];
    const { data } = comparedGuards(await read({ events }, {}));
    const [high, low, means] = data.map((trace) => ('y' in trace ? (trace.y as number[]) : []));
    expect(means).toEqual([75, 50]);
    const interval = bootstrapMean(promptMeans);
    for (const [i, lost] of [0, 25].entries()) {
      expect(low[i]).toBeCloseTo(100 * interval.low - lost, 9);
      expect(high[i]).toBeCloseTo(100 * interval.high - lost, 9);
    }
  });

  it('of the reward over the KL divergence have a point for each policy that both are known of', async () => {
    const guarded = (iteration: number, kl: number): RunEvent => ({
      type: 'guarded',
      iteration,
      guards: [{ figure: 'kl', mean: kl, promptMeans: [kl], missing: 0 }],
      warnings: [],
    });
    const events = fixtureEvents(2);
    const meanOf = (iteration: number) =>
      events.find(
        (event) => event.type === 'evaluated' && event.split === 'test' && event.iteration === iteration,
      ) as Extract<RunEvent, { type: 'evaluated' }>;
    const runs = await read(
      { events: [...events, guarded(1, 7), guarded(-1, 0)] },
      { events: fixtureEvents(1) },
    );
    const { data, layout } = comparedFrontiers(runs);
    expect(data.map((trace) => ('x' in trace && 'y' in trace ? [trace.x, trace.y] : []))).toEqual([
      [[0, Math.sqrt(bestOfNDivergence(2))], meanOf(-1).bestOfN],
      [
        [0, Math.sqrt(7)],
        [meanOf(-1).statistics.mean, meanOf(1).statistics.mean],
      ],
    ]);
    expect(data[0]).toMatchObject({
      name: 'best of n samples, original policy',
      text: ['best of 1: 1.25 at 0.00 nats', 'best of 2: 1.75 at 0.19 nats'],
    });
    expect(data[1]).toMatchObject({ text: ['1.25 at 0.00 nats', '3.25 at 7.00 nats'] });
    expect(layout.xaxis).toMatchObject({
      ticktext: ['0', '0.1', '0.5', '1', '2', '5'],
      tickvals: [0, 0.1, 0.5, 1, 2, 5].map(Math.sqrt),
    });
    expect(comparedFrontiers(runs.slice(1)).data).toEqual([]);
    const measured = [...events, guarded(1, 7)];
    const ofReward = (name: string): Made => ({
      ...{ events: measured, parameters: { reward: name } },
      record: { reward: { name, label: 'quality' } },
    });
    const unlike = await read(ofReward('mine'), ofReward('yours'));
    expect(comparedFrontiers(unlike).layout.annotations).toHaveLength(2);
  });

  it('of the best of n samples tell whose they are where runs begin with several policies', async () => {
    const events = (best: number): RunEvent[] => [
      evaluated(-1, 'test', [1, best], [9, 9]),
      {
        type: 'guarded',
        iteration: -1,
        guards: [{ figure: 'kl', mean: 0, promptMeans: [0], missing: 0 }],
        warnings: [],
      },
    ];
    const runs = await read(...[2, 3, 3].map((best) => ({ events: events(best) })));
    expect(comparedFrontiers(runs).data.slice(0, 2)).toMatchObject([
      { y: [1.5, 2], text: ['best of 1 (run-0): 1.50 at 0.00 nats', expect.anything()], showlegend: true },
      {
        y: [2, 3],
        text: ['best of 1 (run-1, run-2): 2.00 at 0.00 nats', expect.anything()],
        showlegend: false,
      },
    ]);
  });

  it('have a colour for each setting where seeds stand beside other settings', async () => {
    const runs = await read(
      ...[0.1, 0.5].flatMap((beta) => [1, 2].map((seed) => ({ parameters: { beta, seed } }))),
    );
    const lines = comparedRewards(runs).data.slice(-4) as unknown as {
      line: { color: string; dash?: string };
    }[];
    const [a, b, c, d] = lines.map(({ line }) => line);
    expect(a.color).toBe(b.color);
    expect(c.color).toBe(d.color);
    expect(a.color).not.toBe(c.color);
    expect([a.dash, b.dash, c.dash, d.dash]).toEqual([undefined, 'dash', undefined, 'dash']);
  });

  it('tell more runs apart than there are colours, each of which the legend names once', async () => {
    const count = RUN_COLORS.length + 1;
    const runs = await read(...Array.from({ length: count }, (_, i) => ({ parameters: { beta: 0.1 + i } })));
    const lines = comparedTraining(runs).data as unknown as {
      line: { color: string; dash?: string };
      showlegend: boolean;
    }[];
    const named = lines.filter(({ showlegend }) => showlegend).map(({ line }) => line);
    expect(named).toHaveLength(count);
    expect(named.at(-1)!.color).toBe(named[0].color);
    expect([named[0].dash, named.at(-1)!.dash]).toEqual([undefined, 'dash']);
  });
});

describe('seeds', () => {
  it("are summarized by Student's interval of each setting, a seed once, without runs that came to nothing", async () => {
    const gains = [0.5, 0, -0.25];
    const runs = await read(
      // Was interrupted, and its seed's next run was not.
      { parameters: { seed: 2 }, events: fixtureEvents(0) },
      ...gains.map((gain, i) => ({
        parameters: { seed: i + 1 },
        events: gained(Array(6).fill(gain) as number[]),
      })),
      { parameters: { seed: 3 } },
      { parameters: { seed: 4 }, events: fixtureEvents(0) },
      // Other settings, and rewards of another kind.
      { parameters: { seed: 5, beta: 0.5 } },
      { parameters: { seed: 6, iterations: 3 } },
      { parameters: { seed: 7 }, record: { reward: { name: 'even-token', label: 'odd tokens' } } },
    );
    const groups = overSeeds(runs);
    expect(groups.map(({ runs: own }) => own.map(({ record }) => record.run))).toEqual([
      ['run-1', 'run-2', 'run-3'],
    ]);
    expect(groups[0].change).toEqual(studentInterval([2.5, 2, 1.75]));
    expect(groups[0].before).toEqual({ mean: 1.25, low: 1.25, high: 1.25 });
    expect(seedTable(runs).rows).toEqual([
      ['1', 'run-1', '1.25', '3.75', '+2.50 (+2.50 to +2.50)', '6 prompts'],
      ['2', 'run-2', '1.25', '3.25', '+2.00 (+2.00 to +2.00)', '6 prompts'],
      ['3', 'run-3', '1.25', '3.00', '+1.75 (+1.75 to +1.75)', '6 prompts'],
      // t(.975, 2) = 4.303, s = .3819: ± .949
      ['all', '', '1.25 (1.25 to 1.25)', '3.33 (2.38 to 4.28)', '+2.08 (+1.13 to +3.03)', '3 seeds'],
    ]);
    expect(seedTable(runs.slice(0, 1)).rows).toEqual([]);
  });

  it('of several settings are named by what differs but for them', async () => {
    const seeds = [
      [0.1, 1],
      [0.1, 2],
      [0.5, 3],
      [0.5, 4],
    ];
    const { columns, rows } = seedTable(
      await read(...seeds.map(([beta, seed]) => ({ parameters: { beta, seed } }))),
    );
    expect(columns.map(({ title }) => title).slice(0, 2)).toEqual(['beta', 'seed']);
    expect(rows.map(([beta, seed]) => `${beta} ${seed}`)).toEqual([
      ...['0.1 1', '0.1 2', '0.1 all', '0.5 3', '0.5 4', '0.5 all'],
    ]);
  });

  it('are summarized over runs that have come equally far', async () => {
    const made = (seed: number, iterations: number, state: 'finished' | 'interrupted'): Made => ({
      parameters: { seed, iterations: 2 },
      events: fixtureEvents(iterations),
      record: { state },
    });
    const counted = async (...runs: Made[]) =>
      overSeeds(await read(...runs)).map((group) => group.runs.map(({ record }) => record.run));
    // The first run of seed 2 was interrupted, and its next one was not; a guard ended that of seed 3.
    const runs = [made(2, 1, 'interrupted'), made(1, 2, 'finished'), made(2, 2, 'finished')];
    expect(await counted(...runs, made(3, 1, 'finished'))).toEqual([['run-1', 'run-2', 'run-3']]);
    expect(await counted(made(1, 1, 'interrupted'), made(2, 1, 'interrupted'))).toEqual([['run-0', 'run-1']]);
    expect(await counted(made(1, 2, 'finished'), made(2, 1, 'interrupted'))).toEqual([]);
  });
});

describe('what cannot be compared', () => {
  it('is another reward: its curve has a panel of its own, lengths are still paired', async () => {
    const runs = await read({}, { parameters: { reward: 'length' } });
    expect(comparisonNotes(runs)).toEqual([
      'Not comparable by reward with run-0: reward even-token, whose rewards are another kind of number: run-1: reward length. Their rewards stand in charts of their own, and there is no difference of them.',
    ]);
    expect(differenceTable(runs).rows.map(([figure]) => figure)).toEqual([
      'length in tokens, run-1: reward length',
    ]);
    expect(comparedRewards(runs).layout.annotations).toHaveLength(2);
    expect(resultTable(runs).columns[1].title).toBe('reward');
  });

  it('is a run that trained on given pairs: it has no rewards, and not another kind of them', async () => {
    const given = { record: { reward: undefined }, events: [] };
    const note = (name: string) =>
      `${name} trained on given pairs, and none of its samples are scored: it takes part with its training and its parameters only. To score its checkpoint and one of another run by the same reward: speech-dpo eval CHECKPOINT --reward NAME.`;
    const second = await read({}, given);
    expect(comparisonNotes(second)).toEqual([note('run-1')]);
    expect(resultTable(second).rows.map(([, reward]) => reward)).toEqual([
      expect.stringContaining('even tokens'),
      'none: given pairs',
    ]);
    expect(comparisonNotes(await read(given, {}, { parameters: { reward: 'length' } }))).toEqual([
      note('run-0: reward even-token'),
    ]);
    expect(comparisonNotes(await read(given, given))).toEqual([note('run-0'), note('run-1')]);
  });

  it('is another reward also under the same label, and not a run that has no sound', async () => {
    const called = (name: string) => ({
      parameters: { reward: name },
      record: { reward: { name, label: 'quality' } },
    });
    const runs = await read(called('mine'), called('yours'));
    expect(comparisonNotes(runs)).toEqual([
      expect.stringMatching(/^Not comparable by reward with run-0.* charts of their own/),
    ]);
    expect(comparedRewards(runs).layout.annotations).toHaveLength(2);
    expect(comparisonNotes(await read({}, { examples: [] }))).toEqual([]);
  });

  it.each<[string, Made]>([
    ['another prompts file', { parameters: { prompts: 'other.json' } }],
    ['the prompts of another model', { parameters: { model: 'other' } }],
    ['another instruction', { parameters: { instruction: 'Slower.' } }],
    ['a dataset', { parameters: { data: 'speech.parquet' } }],
    ['prompts of a program', { record: { own: ['prompts'] } }],
    [
      'a prompts file that has changed',
      { examples: fixtureExamples.map((each) => ({ ...each, instruction: 'Louder.' })) },
    ],
  ])('is %s: nothing is paired, and no sound stands side by side', async (_, made) => {
    const runs = await read({}, made);
    expect(comparisonNotes(runs)).toEqual([
      expect.stringMatching(/^Not evaluated on the prompts of run-0.*: run-1/),
    ]);
    expect(differenceTable(runs).rows).toEqual([]);
    const [prompt] = await loadComparedPrompts(runs, NO_LIMIT);
    expect(prompt.clips.some(({ title }) => title.includes('run-1'))).toBe(false);
  });

  it('is no other policy to start from: its sound stands before what its run made of it', async () => {
    const runs = await read({}, { parameters: { policy: 'elsewhere' } });
    const [{ clips }] = await loadComparedPrompts(runs, NO_LIMIT);
    expect(clips.map(({ title }) => title)).toEqual([
      ...['source', 'target', 'original policy', 'run-0: policy none'],
      ...['original policy of run-1: policy elsewhere', 'run-1: policy elsewhere'],
    ]);
    expect(await loadComparedPrompts(runs, NO_LIMIT, { prompts: 0 })).toEqual([]);
  });

  it('of a dataset, is also another number of training items, since the held-out ones come after them', async () => {
    const data = { data: 'speech.parquet' };
    const [same, moved] = [
      await read({ parameters: data }, { parameters: data }),
      await read({ parameters: data }, { parameters: { ...data, trainPrompts: 7 } }),
    ];
    expect(comparisonNotes(same)).toEqual([]);
    expect(comparisonNotes(moved)[0]).toMatch(/^Not evaluated on the prompts/);
  });

  it('says which runs sample otherwise, have not finished, or hold no evaluation', async () => {
    const notes = comparisonNotes(
      await read(
        {},
        {
          parameters: { temperature: 0.7 },
          record: { state: 'interrupted' },
          events: fixtureEvents(1).slice(0, -1),
        },
        { events: [] },
        {
          record: { state: 'interrupted' },
          events: fixtureEvents(1).filter((event) => event.type !== 'evaluated' || event.iteration < 0),
        },
        {
          record: { state: 'interrupted' },
          events: fixtureEvents(1).filter((event) => event.type === 'evaluated' && event.split === 'train'),
        },
      ),
    );
    expect(notes).toEqual([
      'The runs sample differently (temperature), which moves rewards and their spread without any training.',
      'run-1: temperature 0.7 has not finished (interrupted): it is evaluated up to iteration 0 of 0 to 1.',
      'run-2: temperature 1 holds no evaluation on held-out prompts: it takes part with its training and its parameters only.',
      'run-3: temperature 1 has not finished (interrupted): its original policy is evaluated, and no trained one.',
      'run-4: temperature 1 holds no evaluation on held-out prompts: it takes part with its training and its parameters only.',
    ]);
  });

  it('is one run, a run twice, and what is no run', async () => {
    const [folder] = await makeRuns({});
    await expect(readComparedRuns([folder])).rejects.toThrow('two runs or more');
    const model = folder.replace('/output/', '/model_output/');
    await expect(readComparedRuns([folder, model])).rejects.toThrow(`${model} is given twice`);
    await expect(readComparedRuns([folder, '/no/such'])).rejects.toThrow('there is no run /no/such: ');
  });
});

describe('the page', () => {
  it('holds tables, charts and the same prompts’ sound, and fetches nothing', async () => {
    const folders = await makeRuns({ parameters: { seed: 1 } }, { parameters: { seed: 2 } });
    const path = join(roots[0], 'compare.html');
    await writeFile(path, '{"votes": []}');
    await expect(writeComparison(folders, path)).rejects.toThrow(
      `${path} is there already, and no page: name another file (on the command line: --output)`,
    );
    await expect(writeComparison(folders, roots[0])).rejects.toThrow(
      `${roots[0]} is a folder: name a file in it (on the command line: --output)`,
    );
    await writeFile(path, '<!doctype html>');
    const runs = await writeComparison(folders, path);
    expect(runs.map(({ name }) => name)).toEqual(['run-0', 'run-1']);
    const html = await readFile(path, 'utf8');
    const figures = JSON.parse(/id="figures">(.*?)<\/script>/s.exec(html)![1]) as object;
    expect(Object.keys(figures)).toEqual(['chart-rewards', 'chart-training', 'chart-logps']);
    for (const id of Object.keys(figures)) expect(html).toContain(`id="${id}"`);
    // Source, target and original once, and what each run made of it.
    expect(html.match(/<audio controls preload="metadata"/g)).toHaveLength(5);
    expect(html).not.toMatch(/(src|href)="(?!data:|#)/);
    expect(html).not.toContain('</script><script>alert');
    expect(html).toContain('<h2 id="seeds">Over seeds</h2>');
    expect(html).toContain('<title>Comparison of run-0, run-1</title>');
    expect(html).toContain('<li><b>run-0: seed 1</b>, trained by the reward even-token</li>');
  });

  it('has a row for each standing where all runs have kept their sound, else the first sample of each', async () => {
    const ranked = [
      ...fixtureExamples,
      ...STANDINGS.flatMap((standing, sample) =>
        (['original', 'trained'] as const).map((role) => ({
          ...fixtureExamples.find((each) => each.role === role)!,
          ...{ file: `audio/test_0_${role}_${standing}.wav`, standing, sample },
        })),
      ),
    ];
    const seeds = [1, 2].map((seed) => ({ parameters: { seed } }));
    const folders = await makeRuns(...seeds.map((made) => ({ ...made, examples: ranked })), ...seeds);
    const rowsOf = async (chosen: string[]) => {
      const path = join(roots[0], 'compare.html');
      await writeComparison(chosen, path);
      const html = await readFile(path, 'utf8');
      const rows = [...html.matchAll(/class="sound-row-head".*?<span>(.*?)<\/span>/g)].map(([, row]) => row);
      return {
        rows,
        players: html.match(/<audio /g)?.length,
        isTold: html.includes('of these runs have it'),
      };
    };
    const standings = STANDINGS.map((standing) => `The ${standing} sample of each policy`);
    expect(await rowsOf(folders.slice(0, 2))).toEqual({
      rows: ['Recordings of the data set', ...standings],
      // Of each standing the original policy's sample, and those of two runs.
      players: 2 + 3 * 3,
      isTold: false,
    });
    // A run whose policies wrote nothing for the prompt has none to rank.
    const [silent] = await makeRuns({
      examples: fixtureExamples.filter(({ role }) => !/original|trained/.test(role)),
    });
    expect((await rowsOf([folders[0], silent])).rows).toEqual(['Recordings of the data set', ...standings]);
    // A run of an earlier version has no standings.
    expect(await rowsOf(folders.slice(1, 3))).toEqual({
      rows: ['Recordings of the data set', 'The first sample of each policy'],
      players: 2 + 3,
      isTold: true,
    });
  });

  it('says so where nothing can be shown', async () => {
    const folders = await makeRuns({ events: [], examples: [] }, { events: [], examples: [] });
    const path = join(roots[0], 'compare.html');
    await writeComparison(folders, path);
    const html = await readFile(path, 'utf8');
    for (const sentence of [
      'There is no figure that two runs have of the same prompts.',
      'No run is evaluated.',
      'No run has trained.',
      'No audio of the same held-out prompts was written.',
      'are the same.',
    ])
      expect(html).toContain(sentence);
    expect(html).not.toContain('id="seeds"');
  });
});

describe('in a notebook', () => {
  it('has the same in parts, with players', async () => {
    const { root } = await writeFixtureRun();
    roots.push(root);
    await expect(compare(['0601-1200'], root)).rejects.toThrow('two runs or more');
    for (const folder of ['output', 'model_output'])
      await cp(join(root, folder, '0601-1200'), join(root, folder, '0601-1300'), { recursive: true });
    const comparison = await compare(['0601-1200', '0601-1300'], root);
    expect(comparison.results.rows).toHaveLength(2);
    const byFolders = await compare(['output/0601-1200', 'model_output/0601-1300'], root);
    expect(byFolders.results).toEqual(comparison.results);
    expect(comparison.seeds).toEqual([]);
    expect(comparison.notes).toEqual([]);
    const { html, text } = await comparison.listen();
    expect(html.match(/<audio /g)).toHaveLength(5);
    expect(text).toContain(HOSTILE_INSTRUCTION);
    expect(html).not.toContain('<script>');
    const path = await comparison.write(join(root, 'page.html'));
    expect(await readFile(path, 'utf8')).toContain('2 runs side by side');
  });
});
