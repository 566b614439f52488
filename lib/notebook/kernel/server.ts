import { StringDecoder } from 'node:string_decoder';
import type { JupyterHandlerImpl, ZmqServer } from 'tslab/dist/jupyter.js';
import { describeError, type NotebookError } from './errors.js';
import { Streams } from './streams.js';

/** How long the reply to a shutdown request may take to leave before the process ends, whatever cells have left running. */
const LEAVE_MS = 300;

type Request = Parameters<ZmqServer['handleExecute']>[1];
type ExecuteRequest = Parameters<JupyterHandlerImpl['handleExecute']>[0];
type Socket = ZmqServer['iopub'] | ZmqServer['shell'];

/** What this file uses of tslab that its declarations keep private. */
interface Internals {
  bindSocket(socket: Socket, port: number): Promise<void>;
  /** @throws an object with the cell's number, when the cell fails */
  handleExecuteImpl(
    request: ExecuteRequest,
    writeStream: (name: string, text: string) => void,
    writeDisplayData: (data: object, update: boolean) => void,
  ): Promise<{ count: number }>;
}

/**
 * Opens a tslab server that does as Jupyter's protocol says where tslab itself does not:
 * - whatever a cell publishes arrives, in order, however much it is in one turn of the event loop;
 * - a failed cell ends with an `error` output, where tslab only prints text to stderr: JupyterLab shows it as an error, nbconvert
 *   reports it, and "run all" stops there;
 * - cells that had been sent before another failed are aborted, those that are sent after its reply run;
 * - cells' numbers are published, which tslab puts into its replies only.
 *
 * @param takeError what the cell that just failed ended with
 */
export async function serve(
  server: ZmqServer,
  handler: JupyterHandlerImpl,
  takeError: () => NotebookError | undefined,
): Promise<void> {
  const streams = new Streams();
  const tslabs = { server: server as unknown as Internals, handler: handler as unknown as Internals };
  let requests = 0;
  let failures = 0;
  let last: Promise<unknown> = Promise.resolve();

  const bind = tslabs.server.bindSocket.bind(server);
  tslabs.server.bindSocket = (socket, port) => {
    if ('sendTimeout' in socket) sendAtOnce(socket);
    return bind(socket, port);
  };

  /** Runs or aborts a cell when those before it have ended. */
  async function takeTurn(socket: unknown, request: Request, failuresBefore: number): Promise<void> {
    const content = request.content as ExecuteRequest;
    const reply = (replyContent: object) => {
      const message = request.createReply();
      message.header.msg_type = 'execute_reply';
      message.content = replyContent;
      message.signAndSend(server.connInfo.key, socket);
    };
    if (failures !== failuresBefore) {
      reply({ status: 'aborted' });
      return;
    }
    const publish = (type: string, published: object) => {
      const message = request.createReply();
      message.header.msg_type = type;
      message.content = published;
      message.signAndSend(server.connInfo.key, server.iopub);
    };
    const publishStream = (name: string, text: string) => {
      publish('stream', { name, text });
    };
    let error: NotebookError | undefined;
    const { count } = await tslabs.handler
      .handleExecuteImpl(
        content,
        (name, text) => {
          streams.write(publishStream, name, text);
        },
        (data, update) => {
          streams.flush();
          publish(update ? 'update_display_data' : 'display_data', data);
        },
      )
      .catch((thrown: unknown) => {
        const isCells = isFailedCell(thrown);
        error = (isCells ? takeError() : undefined) ?? describeError(thrown);
        return isCells ? thrown : { count: undefined };
      });
    streams.flush();
    // tslab numbers a cell when it has run; nbconvert takes the number from this message.
    if (count !== undefined) publish('execute_input', { code: content.code, execution_count: count });
    if (!error) {
      reply({ status: 'ok', execution_count: count });
      return;
    }
    publish('error', error);
    if (content.stop_on_error !== false) {
      await allRequestsRead();
      failures += 1;
    }
    reply({ status: 'error', execution_count: count, ...error });
  }

  /** Reads the requests that have reached this process while the event loop did not turn. */
  async function allRequestsRead(): Promise<void> {
    for (let before = -1; before !== requests;) {
      before = requests;
      // Sockets are read between two of these.
      for (let turn = 0; turn < 2; turn++) await new Promise(setImmediate);
    }
  }

  server.handleExecute = (socket, request) => {
    requests += 1;
    const failuresBefore = failures;
    const turn = last.then(() => takeTurn(socket, request, failuresBefore));
    last = turn.catch(() => undefined);
    return turn;
  };

  handler.createWriteToIopub = (name, writeStream) => {
    const decoder = new StringDecoder('utf8');
    return (chunk: string | Uint8Array, ...rest: unknown[]) => {
      writeStream(name, typeof chunk === 'string' ? chunk : decoder.write(Buffer.from(chunk)));
      const written = rest.find((argument) => typeof argument === 'function') as (() => void) | undefined;
      if (written) process.nextTick(written);
      return true;
    };
  };

  handler.handleShutdown = ({ restart }) => ({ restart });
  const close = server.close.bind(server);
  server.close = () => {
    streams.close();
    close();
    setTimeout(() => process.exit(), LEAVE_MS);
  };
  await server.init();
}

/**
 * Makes a socket put each message into its queue at once. As it comes, it sends some 512 messages in one turn of the event loop, then one
 * waits, and those after it fail. Nobody may be dropped because a front end reads slowly, so the queue has no largest length.
 */
function sendAtOnce(socket: Socket): void {
  socket.sendTimeout = 0;
  socket.sendHighWaterMark = 0;
}

/** How tslab says that a cell failed: by its number. */
function isFailedCell(thrown: unknown): thrown is { count: number } {
  return typeof (thrown as { count?: unknown } | undefined)?.count === 'number';
}
