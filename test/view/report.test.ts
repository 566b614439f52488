import { readFile, symlink, unlink, writeFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { parseParameters } from '../../lib/run/parameters.js';
import type { Figure } from '../../lib/view/figure.js';
import { writeReport } from '../../lib/view/report.js';
import { fixtureEvents, fixtureExamples, writeFixtureRun, type FixtureOptions } from './fixture-run.js';

const roots: string[] = [];

async function makeRun(options?: FixtureOptions) {
  const run = await writeFixtureRun(options);
  roots.push(run.root);
  return run;
}

async function makeReport(options?: FixtureOptions): Promise<string> {
  return readFile(await writeReport((await makeRun(options)).outputDirectory), 'utf8');
}

afterEach(async () => {
  for (const root of roots.splice(0)) await rm(root, { recursive: true });
});

/** What the page shows, less scripts, style, pictures and sound. */
function visibleText(html: string): string {
  return html
    .replace(/<(script|style)[^>]*>.*?<\/\1>/gs, '')
    .replace(/<[^>]+>/g, ' ')
    .replaceAll('&#39;', "'")
    .replace(/\s+/g, ' ');
}

function readFigures(html: string): Record<string, Figure> {
  return JSON.parse(/<script type="application\/json" id="figures">(.*?)<\/script>/s.exec(html)![1]);
}

describe('writeReport', () => {
  it('tells the result in words and figures', async () => {
    const text = visibleText(await makeReport());
    expect(text).toContain('2 iterations of DPO by the reward even-token on 6 training prompts');
    expect(text).toContain(
      'went from 1.25 to 3.25 (+2.00; 95 % interval +2.00 to +2.00, paired bootstrap over prompts)',
    );
    expect(text).toContain('125.0 tokens long on average, 105.0 before training (+19.0 %)');
    expect(text).toContain('The run took 1 min 23 s.');
    expect(text).toContain('sampleSize 10 samples per prompt that a pair is chosen from');
  });

  it('names no reward where the run trained on given pairs', async () => {
    const html = await makeReport({ record: { reward: undefined } });
    expect(html).toContain('<title>0601-1200: DPO on given pairs</title>');
    const text = visibleText(html);
    expect(text).toContain('0601-1200 : DPO on given pairs 2 iterations of DPO on given pairs. On held-out');
    expect(text).not.toContain('by the reward');
  });

  it.each([
    [
      { loss: 'sft' },
      'supervised training',
      'Supervised training raises the log-probability of chosen samples',
    ],
    [
      { loss: 'kto' },
      'training with the loss kto',
      'Both may fall where the loss pushes the rejected sample down',
    ],
    [
      { loss: 'simpo', rpoAlpha: 0.05 },
      'training with the loss simpo + 0.05 sft',
      'Both may fall where the loss pushes the rejected sample down',
    ],
  ])('says how the policy was trained: %j', async (parameters, method, logps) => {
    const html = await makeReport({ record: { parameters: parseParameters(parameters) } });
    expect(html).toContain(`<title>0601-1200: ${method} by the reward even-token</title>`);
    const text = visibleText(html);
    expect(text).toContain(`2 iterations of ${method} by the reward even-token`);
    expect(text).toContain(logps);
    expect(text.slice(0, text.indexOf('Parameters parameter'))).not.toContain('DPO');
  });

  it('has a place for every chart and nothing to fetch', async () => {
    const html = await makeReport();
    const names = Object.keys(readFigures(html));
    expect(names).toEqual([
      'chart-rewards',
      'chart-training',
      'chart-logps',
      'chart-distribution',
      'chart-lengths',
    ]);
    const ids = Array.from(html.matchAll(/<[a-z0-9]+ [^>]*\bid="([^"]+)"/g), ([, id]) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids).toEqual(expect.arrayContaining(names));
    expect(html).not.toMatch(/(src|href)="(?!data:|#)/);
  });

  it('carries plotly.js whole', async () => {
    const html = await makeReport();
    const packed = /id="plotly">([^<]*)</.exec(html)![1];
    const plotly = await readFile(createRequire(import.meta.url).resolve('plotly.js-dist/plotly.js'));
    expect(gunzipSync(Buffer.from(packed, 'base64')).equals(plotly)).toBe(true);
  });

  it('shows all audio with spectrograms, and instructions as the text they are', async () => {
    const html = await makeReport();
    expect(
      html.match(/<audio controls preload="metadata" style="width:100%" src="data:audio\/wav;base64,UklGR/g),
    ).toHaveLength(6);
    expect(html.match(/src="data:image\/png;base64,iVBORw0KGgo/g)).toHaveLength(6);
    expect(html).toContain(
      'Make it &lt;/script&gt;&lt;script&gt;alert(1)&lt;/script&gt; &quot;louder&quot; &amp; &lt;b&gt;bolder&lt;/b&gt;.',
    );
    expect(html).not.toContain('alert(1)</script>');
    expect(visibleText(html)).toContain('chosen iteration 0 reward 4.50');
  });

  it('is written from either directory of the run, to its output', async () => {
    const { modelDirectory, outputDirectory } = await makeRun();
    expect(await writeReport(modelDirectory)).toBe(join(outputDirectory, 'report.html'));
  });
});

describe('a run that is not whole', () => {
  it('is shown as far as it got', async () => {
    const events = fixtureEvents(2).slice(0, 4);
    const html = await makeReport({ events, record: { state: 'interrupted' } });
    expect(Object.keys(readFigures(html))).toEqual([
      'chart-rewards',
      'chart-training',
      'chart-logps',
      'chart-distribution',
      'chart-lengths',
    ]);
    const text = visibleText(html);
    expect(text).toContain('This run was interrupted. 0 of 2 iterations are trained and saved');
    expect(text).toContain('no trained policy has been evaluated yet');
  });

  it('says what is missing before anything is evaluated', async () => {
    const html = await makeReport({
      events: [],
      record: { state: 'failed', error: 'the <disk> is full', timings: [] },
    });
    expect(readFigures(html)).toEqual({});
    expect(html).toContain('This run failed: the &lt;disk&gt; is full');
    expect(visibleText(html)).toContain('no evaluation is finished');
    expect(visibleText(html)).toContain('no training step is done');
  });

  it('may have ended before its first event', async () => {
    const { modelDirectory, outputDirectory } = await makeRun({ record: { state: 'interrupted' } });
    await unlink(join(modelDirectory, 'metrics.jsonl'));
    const text = visibleText(await readFile(await writeReport(outputDirectory), 'utf8'));
    expect(text).toContain('The policy has not been evaluated on held-out prompts yet.');
  });

  it('leaves the interval out where few prompts have a reward before and after', async () => {
    const events = fixtureEvents(1).map((event) =>
      event.type === 'evaluated' && event.iteration === 0
        ? { ...event, promptMeans: event.promptMeans.map((mean, prompt) => (prompt < 2 ? null : mean)) }
        : event,
    );
    const text = visibleText(await makeReport({ events }));
    expect(text).toContain('went from 1.25 to 2.25 (+1.00).');
    expect(text).toContain('reward +1.00 (no interval) 4');
    expect(text).not.toContain('95 % interval');
  });

  it('does without audio', async () => {
    const { outputDirectory } = await makeRun();
    await unlink(join(outputDirectory, 'audio.json'));
    const html = await readFile(await writeReport(outputDirectory), 'utf8');
    expect(visibleText(html)).toContain('There is no audio to listen to');
    expect(html).not.toContain('<audio');
  });

  it('names a WAV file that is missing or broken in its place', async () => {
    const { outputDirectory } = await makeRun();
    await unlink(join(outputDirectory, 'audio/test_0_source.wav'));
    await writeFile(join(outputDirectory, 'audio/test_0_target.wav'), 'RIFF');
    const text = visibleText(await readFile(await writeReport(outputDirectory), 'utf8'));
    expect(text).toContain('audio/test_0_source.wav is missing');
    expect(text).toContain('audio/test_0_target.wav: not a WAV file');
  });
});

describe('files named by data', () => {
  const secret = 'secret.wav';

  it.each(['../../secret.wav', '/secret.wav', 'audio/../../../secret.wav', ''])(
    'cannot leave the folder: %j',
    async (file) => {
      const { root, outputDirectory } = await makeRun({ examples: [{ ...fixtureExamples[0], file }] });
      await writeFile(join(root, secret), await readFile(new URL(import.meta.url)));
      const html = await readFile(await writeReport(outputDirectory), 'utf8');
      expect(visibleText(html)).toContain("outside the run's folder and is left out");
      expect(html).not.toContain('<audio');
    },
  );

  it('may begin with two dots and lie in the folder', async () => {
    const { outputDirectory } = await makeRun();
    const name = '..source.wav';
    await writeFile(
      join(outputDirectory, name),
      await readFile(join(outputDirectory, 'audio/test_0_source.wav')),
    );
    const index = join(outputDirectory, 'audio.json');
    await writeFile(index, (await readFile(index, 'utf8')).replace('audio/test_0_source.wav', name));
    const html = await readFile(await writeReport(outputDirectory), 'utf8');
    expect(html.match(/<audio/g)).toHaveLength(6);
  });

  it('cannot leave it through a link', async () => {
    const { root, outputDirectory } = await makeRun();
    await writeFile(join(root, secret), await readFile(join(outputDirectory, 'audio/test_0_source.wav')));
    await unlink(join(outputDirectory, 'audio/test_0_source.wav'));
    await symlink(join(root, secret), join(outputDirectory, 'audio/test_0_source.wav'));
    const html = await readFile(await writeReport(outputDirectory), 'utf8');
    expect(visibleText(html)).toContain("audio/test_0_source.wav leads outside the run's folder");
    expect(html.match(/<audio/g)).toHaveLength(5);
  });
});

describe('a folder that is no run', () => {
  it('gets one clear sentence', async () => {
    const { root } = await makeRun();
    await expect(writeReport(join(root, 'output', 'nothing'))).rejects.toThrow(
      /^there is no run .*nothing: .*run\.json does not exist; /,
    );
  });

  it('so does a run.json that is not one', async () => {
    const { modelDirectory, outputDirectory } = await makeRun();
    await writeFile(join(modelDirectory, 'run.json'), '{"run": 7}');
    await expect(writeReport(outputDirectory)).rejects.toThrow(basename(modelDirectory));
  });
});

describe('the section of workers', () => {
  const device = { name: 'cpu', description: 'the CPU, 2 threads', reason: 'asked for' };
  const fleet = [
    { name: '<b>node</b>', device: '', items: 250, seconds: 500 },
    { name: 'node-2', device: 'the CPU, 1 thread', items: 750, seconds: 500 },
  ];

  it('says who did what, and whether kinds of devices were mixed', async () => {
    const workers = { address: 'redis://there:6379', mixed: false, fleet };
    const html = await makeReport({ record: { workers, device } });
    expect(html).not.toContain('<b>node');
    const text = visibleText(html);
    expect(text).toContain(
      '2 workers at redis://there:6379 sampled and scored; the run’s own process trained on the CPU, 2 threads. All computed on one kind of device.',
    );
    expect(text).toContain('node-2 the CPU, 1 thread 750 1.5 75.0 %');
    expect(text).toContain('not known 250 0.50 25.0 %');
    const mixed = await makeReport({ record: { workers: { ...workers, mixed: true } } });
    expect(visibleText(mixed)).toContain('Workers on different kinds of devices were allowed');
  });

  it('is not there for a run that did everything itself', async () => {
    expect(await makeReport()).not.toContain('id="workers"');
  });
});
