/** `--device`, `--tf32` and SPEECH_DPO_DEVICE from the command line to run.json. The GPU is a double that the CPU computes for. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { main } from '../../lib/cli/main.js';
import { CpuDevice } from '../../lib/engine/index.js';
import { openCuda } from '../../lib/engine/devices/cuda/cuda.js';
import { readRun } from '../../lib/run/run-files.js';
import { captureTerminal } from '../support/terminal.js';
import { doubleDevice } from '../support/double-device.js';
import { findRun, readRunFiles, startArguments } from '../support/interrupted-run.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { writeTinyModel } from '../support/tiny-model.js';

vi.mock('../../lib/engine/devices/cuda/cuda.js', () => ({ openCuda: vi.fn() }));

const DESCRIPTION = 'a double of a GPU by CUDA, TF32';
const terminal = captureTerminal();
const root = mkdtempSync(join(tmpdir(), 'speech-dpo-'));
const model = join(root, 'model');

beforeAll(async () => {
  mkdirSync(model);
  await writeTinyModel(model);
});
beforeEach(() => {
  vi.mocked(openCuda)
    .mockReset()
    .mockImplementation(() => Promise.resolve(doubleDevice({ name: 'cuda', description: DESCRIPTION })));
});
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(root, { recursive: true });
});

/** Runs the command line; it is interrupted once it has printed `until`. */
function run(args: readonly string[], until?: string): Promise<number> {
  const stop = new AbortController();
  if (until !== undefined) {
    vi.mocked(process.stdout.write).mockImplementation((text) => {
      terminal.printed += String(text);
      if (terminal.printed.includes(until)) stop.abort();
      return true;
    });
  }
  return main(args, stop.signal);
}

describe('a device that cannot be had', () => {
  beforeEach(() => {
    vi.mocked(openCuda).mockReset().mockRejectedValue(new Error('there is no driver: install one'));
  });

  it('ends every command that computes in a sentence, before anything is written', async () => {
    const folder = temporaryFolder();
    const wav = join(folder, 'none.wav');
    const commands = [
      ...['even-token', 'length', 'mos'].map((name) => [name, '--model', model, '--output', folder]),
      ['eval', 'default', '--reward', 'even-token', '--output', folder],
      ['edit', '--wav', wav, '--instruction', 'x', '--output', join(folder, 'x.wav')],
      ['score', wav],
      ['verify', folder],
      ['prepare', '--wav', folder, '--instructions', wav, '--output', join(folder, 'data.jsonl')],
      ['train', '--pairs', wav, '--output', folder],
    ];
    for (const command of commands) {
      const before = terminal.complained.length;
      expect(await run([...command, '--device', 'cuda']), command[0]).toBe(2);
      expect(terminal.complained.slice(before), command[0]).toBe('error: there is no driver: install one\n');
      expect(readdirSync(folder)).toEqual([]);
    }
  });

  it('may be named by SPEECH_DPO_DEVICE', async () => {
    vi.stubEnv('SPEECH_DPO_DEVICE', 'cuda');
    expect(await run(['score', 'none.wav'])).toBe(2);
    expect(terminal.complained).toBe('error: there is no driver: install one\n');
    vi.stubEnv('SPEECH_DPO_DEVICE', 'none');
    expect(await run(['report', 'nowhere'])).toBe(2);
    expect(terminal.complained).toContain('SPEECH_DPO_DEVICE is "none"; it can be auto, cpu');
    vi.stubEnv('SPEECH_DPO_DEVICE', 'cpu');
  });

  it('is not mended by --tf32, which is for CUDA alone', async () => {
    expect(await run(['verify', 'nowhere', '--device', 'cpu', '--tf32'])).toBe(2);
    expect(terminal.complained).toMatch(/^error: TF32 \(--tf32\) is for CUDA alone[^\n]*\n$/);
    expect(await run(['verify', 'nowhere', '--device', 'gpu'])).toBe(2);
    expect(terminal.complained).toContain("option '--device <name>' argument 'gpu' is invalid");
  });
});

describe('a run', () => {
  const output = join(root, 'cuda');
  const start = (folder: string) => [...startArguments(model, folder), '--iterations', '1'];
  const record = async () => (await readRun(findRun(output)!)).record;
  const log = () => readFileSync(join(findRun(output)!, 'log_training.log'), 'utf8');

  it('says in the terminal, the log and run.json where it computes, and why', async () => {
    mkdirSync(output);
    const args = [...start(output), '--device', 'cuda', '--tf32'];
    expect(await run(args, 'sampled')).toBe(130);
    expect(openCuda).toHaveBeenCalledWith({ tf32: true });
    expect((await record()).device).toEqual({
      ...{ name: 'cuda', description: DESCRIPTION, reason: 'asked for', tf32: true },
    });
    expect(terminal.printed).toContain(`  device: ${DESCRIPTION} (asked for)\n`);
    expect(log()).toContain(`INFO - Device: ${DESCRIPTION} (asked for)\n`);
  });

  it('goes on only where it began, unless told otherwise', async () => {
    vi.mocked(openCuda).mockReset().mockRejectedValue(new Error('there is no driver: install one'));
    const before = readRunFiles(output);
    expect(await run(['resume', findRun(output)!])).toBe(2);
    expect(terminal.complained).toMatch(
      /^error: run \S+ computes on a double of a GPU by CUDA, TF32, which cannot be had: there is no driver: install one; to go on elsewhere, name a device: npx speech-dpo resume \S+ --device cpu\n$/,
    );
    expect(readRunFiles(output)).toEqual(before);
    expect((await record()).state).toBe('interrupted');
  });

  it('goes on on its own device without being told', async () => {
    expect(await run(['resume', findRun(output)!], 'trained')).toBe(130);
    expect(openCuda).toHaveBeenCalledWith({ tf32: true });
    expect((await record()).device).toMatchObject({ name: 'cuda', reason: 'as the run began', tf32: true });
  });

  it('goes on elsewhere when told so, and says where it began', async () => {
    expect(await run(['resume', findRun(output)!, '--device', 'cpu'])).toBe(0);
    expect(openCuda).not.toHaveBeenCalled();
    const { state, device } = await record();
    const { description } = new CpuDevice();
    const reason = `asked for; the run began on ${DESCRIPTION}`;
    expect({ state, device }).toEqual({
      state: 'finished',
      device: { name: 'cpu', description, reason },
    });
    expect(log()).toContain(`INFO - Device: ${description} (${reason})\n`);
    const report = readFileSync(findRun(output)!.replace('model_output', 'output') + '/report.html', 'utf8');
    expect(report).toContain(`Computed on ${description} (${reason}).`);
    const card = readFileSync(join(findRun(output)!, 'iter_0', 'dpo_model', 'README.md'), 'utf8');
    expect(card).toContain(`Trained on ${description}.`);
  });

  it('writes the same files wherever the same numbers come from', async () => {
    const plain = join(root, 'cpu');
    mkdirSync(plain);
    expect(await run(start(plain))).toBe(0);
    const files = readRunFiles(plain);
    expect(files.size).toBeGreaterThan(15);
    expect([...readRunFiles(output)]).toEqual([...files]);
  });
});
