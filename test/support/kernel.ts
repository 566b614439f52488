import { spawn } from 'node:child_process';
import { createHmac, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type * as ZeroMq from 'zeromq';
import { findPackageRoot } from '../../lib/package-root.js';

const require = createRequire(import.meta.url);
// tslab's own.
const zmq = createRequire(require.resolve('tslab'))('zeromq') as typeof ZeroMq;

const DELIMITER = '<IDS|MSG>';

export interface Message {
  type: string;
  /** The id of the request that it belongs to. */
  parent: string;
  content: Record<string, unknown>;
}

/** What a request led to: its reply, and what was published for it until the kernel was idle again. */
export interface Answer {
  reply: Record<string, unknown>;
  published: Message[];
}

/** A front end of the kernel in lib/notebook/kernel, which runs in a process of its own. */
export interface KernelClient {
  /** The kernel's process. */
  pid: number;
  request(type: string, content: object, channel?: 'shell' | 'control'): Promise<Answer>;
  execute(code: string, options?: { stop_on_error?: boolean }): Promise<Answer>;
  /** Resolves when the kernel says that it is busy with the next request: before that, the stop button stops nothing. */
  begun(): Promise<void>;
  /** As Jupyter's stop button does. */
  interrupt(): void;
  /** Settles when the kernel's process has ended. */
  ended: Promise<void>;
  /** Ends the kernel if it runs. */
  close(): Promise<void>;
}

/** Where a kernel is to be reached; `file` is the connection file that tells it. */
export interface Connection {
  file: string;
  key: string;
  ports: Record<'shell' | 'iopub' | 'stdin' | 'control' | 'hb', number>;
}

/** A request that is not answered yet. */
interface Waiting {
  answer: Partial<Answer> & { published: Message[] };
  isIdle: boolean;
  done(): void;
}

export async function makeConnection(folder: string): Promise<Connection> {
  const [shell, iopub, stdin, control, hb] = await freePorts(5);
  const key = randomUUID();
  const file = join(folder, 'connection.json');
  const content = {
    ...{ transport: 'tcp', ip: '127.0.0.1', key, signature_scheme: 'hmac-sha256', kernel_name: 'tslab' },
    ...{ shell_port: shell, iopub_port: iopub, stdin_port: stdin, control_port: control, hb_port: hb },
  };
  writeFileSync(file, JSON.stringify(content));
  return { file, key, ports: { shell, iopub, stdin, control, hb } };
}

/** The command that kernel.json names. */
export const kernelCommand = (root: string, connection: Connection, node = process.execPath) => [
  node,
  '--enable-source-maps',
  join(root, 'dist', 'lib', 'notebook', 'kernel', 'start.js'),
  connection.file,
];

/** Starts a kernel as Jupyter does, in a process group of its own, and waits until it answers; `node` is the Node.js that runs it. */
export async function startKernel(node = process.execPath): Promise<KernelClient> {
  const root = findPackageRoot();
  const folder = mkdtempSync(join(tmpdir(), 'speech-dpo-kernel-'));
  const connection = await makeConnection(folder);
  const [command, ...args] = kernelCommand(root, connection, node);
  const child = spawn(command, args, {
    cwd: join(root, 'notebooks'),
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let log = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (log += chunk.toString()));
  const ended = once(child, 'close').then(() => undefined);
  const lost = ended.then(() => {
    throw new Error(`the kernel ended:\n${log}`);
  });
  const channels = await openChannels(connection, lost);
  return {
    pid: child.pid!,
    request: channels.request,
    execute: (code, options) =>
      channels.request('execute_request', {
        ...{ code, silent: false, store_history: true, user_expressions: {}, allow_stdin: false },
        ...{ stop_on_error: true, ...options },
      }),
    begun: channels.begun,
    interrupt: () => process.kill(-child.pid!, 'SIGINT'),
    ended,
    async close() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
      await ended;
      channels.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/**
 * Connects to a kernel and waits until it answers.
 *
 * @param lost rejects when the kernel cannot answer any more
 */
export async function openChannels({ key, ports }: Connection, lost: Promise<never>) {
  const session = randomUUID();
  const sockets = { shell: new zmq.Dealer(), control: new zmq.Dealer() };
  const iopub = new zmq.Subscriber({ receiveHighWaterMark: 0 });
  for (const name of ['shell', 'control'] as const) sockets[name].connect(`tcp://127.0.0.1:${ports[name]}`);
  iopub.connect(`tcp://127.0.0.1:${ports.iopub}`);
  iopub.subscribe();

  const waiting = new Map<string, Waiting>();
  const beginnings: (() => void)[] = [];
  const settle = (id: string, message: Message, isPublished: boolean) => {
    if (isBusy(message)) for (const begin of beginnings.splice(0)) begin();
    const entry = waiting.get(id);
    if (!entry) return;
    if (isPublished) entry.answer.published.push(message);
    else entry.answer.reply = message.content;
    entry.isIdle ||= isPublished && isIdle(message);
    if (entry.answer.reply && entry.isIdle) entry.done();
  };
  const read = async (socket: ZeroMq.Dealer | ZeroMq.Subscriber) => {
    for await (const frames of socket) {
      const message = parse(frames, key);
      settle(message.parent, message, socket === iopub);
    }
  };
  for (const socket of [sockets.shell, sockets.control, iopub]) void read(socket);

  // A request each, one after the other, as the socket wants them.
  let sending: Promise<unknown> = Promise.resolve();
  lost.catch(() => undefined);
  const request = (type: string, content: object, channel: 'shell' | 'control' = 'shell') => {
    const header = {
      ...{ msg_id: randomUUID(), session, username: 'test', version: '5.3' },
      ...{ msg_type: type, date: new Date().toISOString() },
    };
    const parts = [header, {}, {}, content].map((part) => JSON.stringify(part));
    const answer = new Promise<Answer>((resolve) => {
      const entry: Waiting = { answer: { published: [] }, isIdle: false, done: () => undefined };
      entry.done = () => {
        waiting.delete(header.msg_id);
        resolve(entry.answer as Answer);
      };
      waiting.set(header.msg_id, entry);
    });
    sending = sending.then(() => sockets[channel].send([DELIMITER, sign(parts, key), ...parts]));
    return Promise.race([answer, lost]);
  };

  // What is published before the subscription has reached the kernel is lost, so one question does not do.
  for (let isReady = false; !isReady;) {
    const late = sleep(300, undefined);
    isReady = (await Promise.race([request('kernel_info_request', {}), late])) !== undefined;
  }
  return {
    request,
    begun: () => new Promise<void>((resolve) => beginnings.push(resolve)),
    close() {
      for (const socket of [sockets.shell, sockets.control, iopub]) {
        socket.linger = 0;
        socket.close();
      }
    },
  };
}

const isBusy = ({ type, content }: Message) => type === 'status' && content.execution_state === 'busy';
const isIdle = ({ type, content }: Message) => type === 'status' && content.execution_state === 'idle';

function parse(frames: Buffer[], key: string): Message {
  const start = frames.findIndex((frame) => frame.toString() === DELIMITER);
  const parts = frames.slice(start + 2).map(String);
  if (frames[start + 1].toString() !== sign(parts, key)) throw new Error('a message with a wrong signature');
  const [header, parent, , content] = parts.map((part) => JSON.parse(part) as Record<string, string>);
  return { type: header.msg_type, parent: parent.msg_id, content };
}

function sign(parts: readonly string[], key: string): string {
  const hmac = createHmac('sha256', key);
  for (const part of parts) hmac.update(part);
  return hmac.digest('hex');
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports: number[] = [];
  for (const server of servers) {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    ports.push((server.address() as { port: number }).port);
  }
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
