/** The page of `speech-dpo doctor`, its JSON and its exit code. What it finds is told, except for one look at this machine. */
import { homedir } from 'node:os';
import { join } from 'node:path';
import stringWidth from 'string-width';
import { stripVTControlCharacters } from 'node:util';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { formatFinding } from '../../lib/cli/doctor.js';
import { main } from '../../lib/cli/main.js';
import { doctorSchema, examineMachine, type Finding } from '../../lib/verify/doctor/doctor.js';
import { temporaryFolder } from '../support/temporary-folder.js';

vi.mock('../../lib/verify/doctor/doctor.js', async (importOriginal) => ({
  ...(await importOriginal<typeof import('../../lib/verify/doctor/doctor.js')>()),
  examineMachine: vi.fn(),
}));
const { examineMachine: examineThisMachine } = await vi.importActual<
  typeof import('../../lib/verify/doctor/doctor.js')
>('../../lib/verify/doctor/doctor.js');

let printed = '';
beforeEach(() => {
  printed = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    printed += String(text);
    return true;
  });
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

const NODE: Finding = { group: 'needed', name: 'Node.js', state: 'ok', found: '22.1.0 on linux x64' };
const NISQA: Finding = { group: 'scores', name: 'NISQA', state: 'ok', found: 'scores with nisqa.tar' };
const CPU: Finding = { group: 'devices', name: 'cpu', state: 'ok', found: 'the CPU, 2 threads' };
const PESQ: Finding = {
  ...{ group: 'tools', name: 'pesq', state: 'missing', found: 'python3 has no package pesq' },
  matters: 'The metric pesq calls it, which compares a recording with a reference, as the ITU says.',
  mend: 'python3 -m venv .venv && .venv/bin/python -m pip install pesq==0.0.4 numpy',
};

async function doctor(findings: readonly Finding[], ...args: string[]): Promise<number> {
  vi.mocked(examineMachine).mockImplementation(async function* () {
    yield* findings;
  });
  return main(['doctor', ...args], new AbortController().signal);
}

it('is one page, group by group, and ends with how to begin', async () => {
  expect(await doctor([NODE, CPU, NISQA, PESQ])).toBe(0);
  expect(printed).toBe(`speech-dpo 0.1.0 on this machine

Every run needs
  ok       Node.js     22.1.0 on linux x64

Devices (--device)
  ok       cpu         the CPU, 2 threads

Scores of speech
  ok       NISQA       scores with nisqa.tar

Beside Node.js
  missing  pesq        python3 has no package pesq
                       The metric pesq calls it, which compares a recording with
                       a reference, as the ITU says.
    > python3 -m venv .venv && .venv/bin/python -m pip install pesq==0.0.4 numpy

Ready. To begin: npx speech-dpo mos
`);
  printed = '';
  expect(await doctor([NODE, CPU])).toBe(0);
  expect(printed).toContain('To begin: npx speech-dpo even-token\n');
});

it('ends with exit code 1 only where something is broken that every run needs', async () => {
  const broken = { state: 'broken', matters: 'Everything computes on it.', mend: 'npm ci' } as const;
  expect(await doctor([NODE, { ...CPU, ...broken }])).toBe(1);
  expect(printed).toMatch(/Not ready: cpu must work first\.\n$/);
  expect(await doctor([{ ...NODE, ...broken }, CPU])).toBe(1);
  expect(await doctor([NODE, CPU, { ...NISQA, ...broken }])).toBe(0);
  expect(await doctor([NODE, CPU, { ...CPU, name: 'cuda', ...broken }])).toBe(0);
});

describe('a finding', () => {
  it('fits into 80 columns, coloured or not', () => {
    const long = { ...PESQ, found: `${homedir()}/x: ${'a sentence of many words '.repeat(8)}` };
    for (const isColoured of [true, false]) {
      const text = formatFinding(long, { columns: 80, isColoured });
      for (const line of text.split('\n')) expect(stringWidth(line), line).toBeLessThanOrEqual(80);
      expect(text !== stripVTControlCharacters(text)).toBe(isColoured);
      expect(text).toContain('~/x: ');
    }
  });

  it('names a command once', () => {
    const named = { ...PESQ, found: 'it is missing: npm run lab', mend: 'npm run lab' };
    expect(formatFinding(named, { columns: 80, isColoured: false })).not.toContain('>');
  });
});

it('prints JSON of this machine that fits its schema', async () => {
  // The weights that a machine may have make no difference.
  const cache = temporaryFolder();
  vi.stubEnv('XDG_CACHE_HOME', cache);
  vi.stubEnv('NISQA_WEIGHTS', join(cache, 'none'));
  vi.stubEnv('DNSMOS_WEIGHTS', join(cache, 'none'));
  vi.stubEnv('WHISPER_MODEL', join(cache, 'none'));
  vi.mocked(examineMachine).mockImplementation(examineThisMachine);
  expect(await main(['doctor', '--json'], new AbortController().signal)).toBe(0);
  const { ready, findings } = doctorSchema.parse(JSON.parse(printed));
  expect(ready).toBe(true);
  expect(findings.slice(0, 4).map(({ name, state }) => [name, state])).toEqual([
    ['Node.js', 'ok'],
    ['disk', 'ok'],
    ['model', 'ok'],
    ['cpu', 'ok'],
  ]);
  const names = findings.map(({ name }) => name);
  expect(names).not.toContain('auto');
  expect(names).toEqual(
    expect.arrayContaining(['cuda', 'webgpu', 'tensorflow', 'NISQA', 'DNSMOS', 'Whisper', 'JupyterLab']),
  );
});
