/** `speech-dpo resume --iterations`: the display of a run that gets more iterations than it began with. */
import { rmSync } from 'node:fs';
import { expect, it, vi } from 'vitest';
import { main } from '../../lib/cli/main.js';
import type * as Resume from '../../lib/jobs/resume.js';
import { parseParameters } from '../../lib/run/parameters.js';
import type { RunEvent } from '../../lib/run/events.js';
import { writeFixtureRun } from '../view/fixture-run.js';

// Nothing is run: the first events of the iteration that is added are all that matters here.
vi.mock('../../lib/jobs/resume.js', async (original) => ({
  ...(await original<typeof Resume>()),
  resumeExperiment: async function* (): AsyncGenerator<RunEvent> {
    await Promise.resolve();
    yield { type: 'progress', iteration: 1, stage: 'sample', done: 0, total: 8 };
    yield { type: 'sampled', iteration: 1, samples: 8, tokens: 80, seconds: 1 };
    throw new Error('it would go on');
  },
}));

it('shows the iterations that are added to a finished run', async () => {
  const parameters = parseParameters({ reward: 'even-token', iterations: 1 });
  const { root, modelDirectory } = await writeFixtureRun({ record: { parameters, state: 'finished' } });
  let printed = '';
  let complained = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => ((printed += String(text)), true));
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => ((complained += String(text)), true));
  try {
    const code = await main(['resume', modelDirectory, '--iterations', '2'], new AbortController().signal);
    expect(complained).toBe('error: it would go on\n');
    expect(code).toBe(2);
    expect(printed).toContain('sampled 8 completions');
  } finally {
    vi.restoreAllMocks();
    rmSync(root, { recursive: true });
  }
});

it('refuses a built-in reward that the run is not scored by', async () => {
  const parameters = parseParameters({ reward: 'even-token', iterations: 2 });
  const { root, modelDirectory } = await writeFixtureRun({ record: { parameters, state: 'interrupted' } });
  let complained = '';
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => ((complained += String(text)), true));
  try {
    const code = await main(['resume', modelDirectory, '--reward', 'length'], new AbortController().signal);
    expect(complained).toMatch(
      /^error: run \S+ is scored by the reward even-token, not by length: give it that one\n$/,
    );
    expect(code).toBe(2);
  } finally {
    vi.restoreAllMocks();
    rmSync(root, { recursive: true });
  }
});
