/** Which commands there are, and the modules that make them: a command line loads those of its own command alone. */
import type { Command } from 'commander';

/** What a command is made with. */
export interface CommandContext {
  /** Ends what is under way. */
  signal: AbortSignal;
  /** Is told the exit code of a command that has printed what it has to say, and did not get all that was asked for. */
  endWith: (exitCode: number) => void;
  /** Is told where a command has examined something, and found it wrong. */
  onCheckFailed: () => void;
}

type Make = (context: CommandContext) => Promise<Command | Command[]>;

/** By the heading that help has them under and by their names, in help's order. */
const COMMANDS: Record<string, Record<string, Make>> = {
  'Experiments:': {
    'even-token length mos': async ({ signal }) =>
      (await import('./experiments.js')).experimentCommands(signal),
    run: async ({ signal }) => (await import('./experiments.js')).runCommand(signal),
    resume: async ({ signal }) => (await import('./resume.js')).resumeCommand(signal),
    train: async ({ signal }) => (await import('./train.js')).trainCommand(signal),
  },
  'Runs:': {
    runs: async ({ signal }) => (await import('./runs.js')).runsCommand(signal),
    report: async ({ signal }) => (await import('./report.js')).reportCommand(signal),
    compare: async ({ signal }) => (await import('./compare.js')).compareCommand(signal),
    listen: async ({ signal }) => (await import('./listen.js')).listenCommand(signal),
    votes: async ({ signal }) => (await import('./votes.js')).votesCommand(signal),
    tensorboard: async ({ signal }) => (await import('./tensorboard.js')).tensorboardCommand(signal),
  },
  'Checkpoints:': {
    eval: async ({ signal }) => (await import('./eval.js')).evalCommand(signal),
    edit: async ({ signal }) => (await import('./edit.js')).editCommand(signal),
    logps: async ({ signal }) => (await import('./logps.js')).logpsCommand(signal),
    merge: async ({ signal }) => (await import('./merge.js')).mergeCommand(signal),
  },
  'Recordings and scores:': {
    score: async ({ signal, endWith }) => (await import('./score.js')).scoreCommand(signal, endWith),
    prepare: async ({ signal }) => (await import('./prepare.js')).prepareCommand(signal),
    'serve-reward': async ({ signal }) => (await import('./serve-reward.js')).serveRewardCommand(signal),
  },
  'Many machines:': {
    worker: async ({ signal }) => (await import('./worker.js')).workerCommand(signal),
    workers: async ({ signal }) => (await import('./workers.js')).workersCommand(signal),
  },
  'This machine:': {
    doctor: async ({ signal, onCheckFailed }) =>
      (await import('./doctor.js')).doctorCommand(signal, onCheckFailed),
    verify: async ({ signal, onCheckFailed }) =>
      (await import('./verify.js')).verifyCommand(signal, onCheckFailed),
  },
};

/**
 * Makes the commands that a command line may mean.
 *
 * @param first its first word; where none is a command's name, as in `--help`, all are made
 * @returns by the heading that help has them under
 */
export async function makeCommands(
  first: string | undefined,
  context: CommandContext,
): Promise<[group: string, commands: Command[]][]> {
  const all = Object.entries(COMMANDS).map(([group, makers]) => [group, Object.entries(makers)] as const);
  const named = all.map(
    ([group, makers]) => [group, makers.filter(([names]) => names.split(' ').includes(first ?? ''))] as const,
  );
  const wanted = named.some(([, makers]) => makers.length > 0) ? named : all;
  return Promise.all(
    wanted.map(async ([group, makers]): Promise<[string, Command[]]> => {
      const commands = await Promise.all(makers.map(([, make]) => make(context)));
      return [group, commands.flat()];
    }),
  );
}
