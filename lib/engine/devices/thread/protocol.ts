/** What the main thread and a device's worker thread say to each other. */
import type { ReportedError } from '../../errors.js';

/** Functions that a worker answers, by name. Arguments and results cross between the threads as structured clones. */
export type Callable<Calls> = { [Name in keyof Calls]: (...args: never[]) => unknown };

/** The functions of a table as the worker has them: they may take their time. */
export type Answers<Calls extends Callable<Calls>> = {
  [Name in keyof Calls]: (
    ...args: Parameters<Calls[Name]>
  ) => ReturnType<Calls[Name]> | Promise<ReturnType<Calls[Name]>>;
};

export interface Request {
  id: number;
  /**
   * A name in the worker's table of calls, or one of these.
   * "stream": args are the address of a module and its generator's arguments; answered by events, then a result.
   * "endStream": args are the id of such a request, whose generator ends before its next event.
   * "end": the thread ends, and nothing is answered any more.
   */
  method: string;
  args: unknown[];
}
export type Reply =
  | { id: number; result: unknown }
  | { id: number; event: unknown }
  | { id: number; error: ReportedError }
  /** Of nothing that was asked: a sentence for `Device.takeNotices`. */
  | { notice: string };
