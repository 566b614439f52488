/** The devices, each tried: the CPU in this process, the others in one of their own. */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import {
  compiledModule,
  CpuDevice,
  deviceChoices,
  deviceFromEnvironment,
  type DeviceChoice,
} from '../../engine/index.js';
import { reinstallCommand } from '../../command-text.js';
import { onOneLine } from '../../one-line.js';
import { isClone } from '../../package-root.js';
import { sentenceOf } from '../../plain-error.js';
import type { Finding } from './finding.js';
import type { SelfTestMessage } from './self-test-process.js';
import {
  distanceOf,
  gradientDistance,
  isWithinNoise,
  measureDevice,
  measureInJavaScript,
  type DeviceNumbers,
  type Distance,
} from './self-test.js';

type Other = Exclude<DeviceChoice, 'auto' | 'cpu'>;

/** The first time CUDA loads its libraries and compiles its kernels takes longest. */
const PATIENCE_SECONDS = 120;
/** Characters. */
const MOST_COMPLAINT = 500;

const MATTERS: Record<Other, string> = {
  cuda: 'An NVIDIA GPU is expected to train and sample many times as fast as the CPU; nobody has measured it with this device yet.',
  webgpu: 'Experimental: on a GPU without CUDA it may be faster than the CPU with models of base size.',
  tensorflow: 'Only --device tensorflow needs it.',
};

/** A finding for each device, and one for `auto` where SPEECH_DPO_DEVICE names a device that does not work. */
export async function* examineDevices(): AsyncGenerator<Finding> {
  const device = new CpuDevice();
  let expected: DeviceNumbers;
  try {
    const startMs = performance.now();
    expected = await measureDevice(device);
    const seconds = (performance.now() - startMs) / 1000;
    const gradients = gradientDistance(expected.gradients, await measureInJavaScript());
    const isRight = isWithinNoise({ gradients, logps: 0, sameTokens: true });
    const distance = `gradients within ${gradients.toExponential(0)} of TensorFlow.js' in JavaScript`;
    yield {
      group: 'devices',
      name: 'cpu',
      state: isRight ? 'ok' : 'broken',
      found: `${device.description}: ${isRight ? '' : 'it computes other numbers: '}${distance} (${seconds.toFixed(1)} s)`,
      ...(!isRight && { matters: CPU_MATTERS, mend: REINSTALL }),
      selfTest: { seconds, gradients: finite(gradients), logps: null, sameTokens: null },
    };
  } catch (error) {
    const found = `${device.description}: ${(error as Error).message}`;
    yield { group: 'devices', name: 'cpu', state: 'broken', found, matters: CPU_MATTERS, mend: REINSTALL };
    return;
  } finally {
    await device.close();
  }
  const working = ['auto', 'cpu'];
  for (const name of deviceChoices) {
    if (name === 'auto' || name === 'cpu') continue;
    const finding = findingOf(name, await tryDevice(name), expected);
    if (finding.state === 'ok') working.push(name);
    yield finding;
  }
  yield* examineNamed(working);
}

/** Nothing where the device that SPEECH_DPO_DEVICE names is among those that work. */
function* examineNamed(working: readonly string[]): Generator<Finding> {
  const finding: Omit<Finding, 'found'> = {
    group: 'devices',
    name: 'auto',
    state: 'broken',
    mend: 'unset SPEECH_DPO_DEVICE',
    matters: 'Every command that computes takes it, unless --device names another.',
  };
  try {
    const named = deviceFromEnvironment();
    if (!working.includes(named))
      yield { ...finding, found: `SPEECH_DPO_DEVICE names ${named}, which does not work here` };
  } catch (error) {
    yield { ...finding, found: sentenceOf(error) };
  }
}

/** Sentences about what is missing name the command that adds it. */
const COMMAND = isClone()
  ? /npm ci|npm run [\w-]+|apt install [\w -]+\w/
  : /npm ci --ignore-scripts|npm (?:install|uninstall|rebuild) [\w@./ &-]+\w|apt install [\w -]+\w/;

const CPU_MATTERS = 'Everything computes on it.';
const REINSTALL = reinstallCommand();

/** What a self-test says of a device, compared with the CPU's numbers. */
export function findingOf(name: Other, message: SelfTestMessage, expected: DeviceNumbers): Finding {
  const finding = { group: 'devices', name } as const;
  if (!('numbers' in message)) {
    const [state, found] =
      'missing' in message ? (['missing', message.missing] as const) : (['broken', message.broken] as const);
    const mend = COMMAND.exec(found)?.[0];
    return { ...finding, state, found, matters: MATTERS[name], ...(mend && { mend }) };
  }
  const { description, seconds, numbers, notices = [] } = message;
  const distance = distanceOf(numbers, expected);
  const isRight = isWithinNoise(distance);
  return {
    ...finding,
    state: isRight ? 'ok' : 'broken',
    found: `${description}: ${isRight ? '' : 'it computes other numbers than the CPU: '}${describe(distance)} (${seconds.toFixed(1)} s)${notices.map((notice) => `; ${notice}`).join('')}`,
    ...(!isRight && { matters: 'Do not trust what it trains and samples.' }),
    selfTest: {
      seconds,
      sameTokens: distance.sameTokens,
      gradients: finite(distance.gradients),
      logps: finite(distance.logps),
    },
  };
}

function describe({ gradients, sameTokens }: Distance): string {
  return `gradients within ${gradients.toExponential(0)} of the CPU's, ${sameTokens ? 'the same' : 'other'} tokens`;
}

/** JSON has no infinity. */
const finite = (value: number): number | null => (Number.isFinite(value) ? value : null);

/** Asks a process of its own, which is stopped after {@link PATIENCE_SECONDS}. */
function tryDevice(name: Other): Promise<SelfTestMessage> {
  const program = fileURLToPath(compiledModule('./self-test-process.js', import.meta.url));
  const child = fork(program, [name], {
    execArgv: [],
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    timeout: PATIENCE_SECONDS * 1000,
    killSignal: 'SIGKILL',
  });
  /** What a library wrote before it ended the process, such as an exception that nobody caught. */
  let complaint = '';
  child.stderr!.on('data', (text) => (complaint = `${complaint}${text}`.slice(-MOST_COMPLAINT)));
  return new Promise((resolve) => {
    child.on('message', (message) => {
      resolve(message as SelfTestMessage);
      child.kill('SIGKILL');
    });
    child.on('error', ({ message }) => {
      resolve({ broken: `its self-test cannot be started: ${message}` });
    });
    // After the last message and the last text.
    child.on('close', (code, signal) => {
      const how = signal ? `with ${signal}` : `with code ${code}`;
      const ended = signal === 'SIGKILL' ? `is stopped after ${PATIENCE_SECONDS} s` : `ended ${how}`;
      const last = complaint.trimEnd().split('\n').at(-1)!;
      resolve({ broken: `its self-test ${ended}${last && ` (${onOneLine(last)})`}` });
    });
  });
}
