/** Names the queue where the command line or a notebook does not: a command line with a password in it can be read by everybody on the machine. */
export const WORKERS_VARIABLE = 'SPEECH_DPO_WORKERS';

/** The option that has a run's samples drawn and scored by workers. */
export interface GivenWorkers {
  /** Address of a queue, redis://HOST:PORT, rediss://... or postgres://...; default: this process does everything. */
  workers?: string;
  /** Workers on other kinds of devices may take part: the run's numbers then depend on who did what. Default false. */
  allowMixed?: boolean;
  /** "HOST:PORT" at which workers fetch the run's models from this process; default: a free port that only this machine reaches. */
  serveAt?: string;
}
