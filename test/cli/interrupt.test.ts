/** One Ctrl-C ends every command, by the real command line. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { closeSync, constants, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { encodeWav } from '../../lib/audio/wav.js';
import { endedBeforeStartBy, endedBy } from '../../lib/cli/interrupt.js';
import type { RunEvent } from '../../lib/run/events.js';
import { temporaryFolder } from '../support/temporary-folder.js';

const CLI = new URL('../../dist/lib/cli.js', import.meta.url).pathname;
const never = () => new Promise<never>(() => undefined);

interface Ended {
  code: number | null;
  signal: string | null;
  stderr: string;
}

/** Runs the command line; `then` gets the process. One that does not end is killed, which its `signal` then says. */
function runCli(args: string[], env: NodeJS.ProcessEnv, then?: (child: ChildProcess) => void) {
  const child = spawn(process.execPath, [CLI, ...args], { env: { ...process.env, ...env } });
  const timer = setTimeout(() => child.kill('SIGKILL'), 60_000);
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  child.stdout.resume();
  then?.(child);
  return new Promise<Ended>((resolve) => {
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ code, signal, stderr });
    });
  });
}

/** A pipe that nobody writes to: who reads it waits for ever, in a thread that Node.js waits for when it ends. */
async function openedBySomebody(pipe: string): Promise<number> {
  for (;;) {
    try {
      return openSync(pipe, constants.O_WRONLY | constants.O_NONBLOCK);
    } catch {
      await sleep(20);
    }
  }
}

it('score ends by itself where weights are missing', async () => {
  const folder = temporaryFolder();
  const nowhere = join(folder, 'nowhere');
  const wav = join(folder, 'a.wav');
  writeFileSync(wav, encodeWav(new Float32Array(1600), 16_000));
  const offline = { HF_HUB_OFFLINE: '1', XDG_CACHE_HOME: folder };
  for (const env of [{ DNSMOS_WEIGHTS: nowhere }, { DNSMOS_WEIGHTS: folder }, offline]) {
    const { code, stderr } = await runCli(['score', wav, '--metric', 'dnsmos'], {
      DNSMOS_WEIGHTS: '',
      ...env,
    });
    expect(stderr).toMatch(/^error: .*(DNSMOS weights not found|sig_bak_ovr\.onnx).*\n$/);
    expect(code).toBe(2);
  }
});

describe.skipIf(process.platform === 'win32')(
  'a command that hangs in a file ends at the first signal',
  () => {
    it.each([
      ['score', 'SIGINT', (pipe: string) => ['score', pipe, '--metric', 'silence']],
      ['prepare', 'SIGTERM', (pipe: string) => ['prepare', '--wav', '.', '--instructions', pipe]],
      ['an experiment that is loading', 'SIGTERM', (pipe: string) => ['even-token', '--prompts', pipe]],
    ] as const)('%s, %s', async (_, signal, args) => {
      const pipe = join(temporaryFolder(), 'pipe');
      execFileSync('mkfifo', [pipe]);
      let opened = -1;
      const ended = await runCli([...args(pipe)], {}, async (child) => {
        opened = await openedBySomebody(pipe);
        child.kill(signal);
      });
      closeSync(opened);
      expect(ended.stderr).toBe('interrupted\n');
      // What shells call 130.
      expect(ended).toMatchObject({ code: null, signal: 'SIGINT' });
    });
  },
);

describe('endedBy', () => {
  it('gives what the work gives, or throws, before the signal and shortly after', async () => {
    const { signal } = new AbortController();
    expect(await endedBy(signal, Promise.resolve(3))).toBe(3);
    await expect(endedBy(signal, Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(await endedBy(AbortSignal.abort(), sleep(20, 'in good order'))).toBe('in good order');
  });

  it('leaves work that goes on, also where the signal came first', async () => {
    const abort = new AbortController();
    const work = endedBy(abort.signal, never());
    abort.abort(new Error('stop'));
    await expect(work).rejects.toThrow('stop');
    await expect(endedBy(abort.signal, never())).rejects.toThrow('stop');
  });
});

describe('endedBeforeStartBy', () => {
  const STARTED: RunEvent = { type: 'started', run: 'a', outputDirectory: 'b', modelDirectory: 'c' };
  const FINISHED: RunEvent = { type: 'finished', seconds: 1 };
  async function collect(events: AsyncGenerator<RunEvent>): Promise<string[]> {
    const types: string[] = [];
    for await (const { type } of events) types.push(type);
    return types;
  }

  it('leaves a run that is loading', async () => {
    const abort = new AbortController();
    const loading = (async function* (): AsyncGenerator<RunEvent> {
      await never();
      yield STARTED;
    })();
    const reading = collect(endedBeforeStartBy(abort.signal, loading));
    abort.abort(new Error('stop'));
    await expect(reading).rejects.toThrow('stop');
  });

  it('lets one that has started end by itself', async () => {
    const abort = new AbortController();
    const started = (async function* (): AsyncGenerator<RunEvent> {
      yield STARTED;
      abort.abort();
      await sleep(1500);
      yield FINISHED;
    })();
    expect(await collect(endedBeforeStartBy(abort.signal, started))).toEqual(['started', 'finished']);
  });

  it('ends one whose events nobody wants any more', async () => {
    const onEnd = vi.fn();
    const events = (async function* (): AsyncGenerator<RunEvent> {
      try {
        yield STARTED;
        yield FINISHED;
      } finally {
        onEnd();
      }
    })();
    for await (const event of endedBeforeStartBy(new AbortController().signal, events)) if (event) break;
    expect(onEnd).toHaveBeenCalledOnce();
  });
});
