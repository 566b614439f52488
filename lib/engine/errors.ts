/** What goes wrong in the engine's worker. It is never plain wrong input, which is checked before anything is sent there. */

/** What a thread tells of an error: its class, its sentence, and where it was thrown. */
export interface ReportedError {
  name: string;
  message: string;
  stack: string;
}

/** An error as it crosses to another thread: a structured clone would lose the name of its class. */
export function reportError(error: unknown): ReportedError {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error), stack: String(error) };
  const { name, message, stack } = error;
  return { name, message, stack: stack ?? `${name}: ${message}` };
}

/**
 * An error that was thrown in the engine's worker: by ONNX Runtime, by WebAssembly, or by a mistake in this program. `name` is the class
 * it had there ("Error" for ONNX Runtime's), `stack` says where it was thrown and then who had asked for it.
 */
export class EngineError extends Error {
  /** @param asked made where the worker was asked */
  constructor({ name, message, stack }: ReportedError, asked: Error) {
    super(message);
    this.name = name;
    const frames = asked.stack?.split('\n').slice(1).join('\n') ?? '';
    this.stack = `${stack}\n    --- in the engine's worker, asked for by ---\n${frames}`;
  }
}

/** The worker itself is gone: it has died, for example of too little memory, or was closed while somebody still needed it. */
export class EngineStopped extends Error {
  override readonly name = 'EngineStopped';
}
