import type { JupyterHandlerImpl, ZmqServer } from 'tslab/dist/jupyter.js';
import type { NotebookError } from './errors.js';

/**
 * Makes a tslab server end a failed cell with an `error` output, where tslab itself only prints text to stderr: JupyterLab shows it as
 * an error, nbconvert reports it, and "run all" stops there. Also publishes cells' numbers, which tslab puts into its replies only.
 *
 * @param takeError what the cell that just failed ended with
 */
export function reportErrors(
  server: ZmqServer,
  handler: JupyterHandlerImpl,
  takeError: () => NotebookError | undefined,
): void {
  server.handleExecute = async (socket, request) => {
    const publish = (type: string, content: object) => {
      const message = request.createReply();
      message.header.msg_type = type;
      message.content = content;
      message.signAndSend(server.connInfo.key, server.iopub);
    };
    const result = await handler.handleExecute(
      request.content as Parameters<JupyterHandlerImpl['handleExecute']>[0],
      (name, text) => {
        publish('stream', { name, text });
      },
      (data, update) => {
        publish(update ? 'update_display_data' : 'display_data', data);
      },
    );
    // tslab numbers a cell when it has run; nbconvert takes the number from this message.
    const { execution_count } = result;
    if (execution_count !== undefined)
      publish('execute_input', { code: (request.content as { code: string }).code, execution_count });
    const error = result.status === 'error' ? takeError() : undefined;
    if (error) publish('error', error);
    const reply = request.createReply();
    reply.header.msg_type = 'execute_reply';
    // The protocol's word for a cell that was dropped because the one before it failed.
    reply.content = { ...result, ...error, status: result.status === 'abort' ? 'aborted' : result.status };
    reply.signAndSend(server.connInfo.key, socket);
  };
}
