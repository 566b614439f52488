/**
 * The notebooks' TypeScript kernel: `node --enable-source-maps dist/lib/notebook/kernel/start.js CONNECTION_FILE`, started by Jupyter in the
 * notebook's folder. It is tslab with the project's TypeScript, natural imports, errors as error outputs, and a stop button that ends
 * the library's work and, where a cell never lets go, the cell. It ends with the process that started it.
 */
import { createRequire, Module } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { format } from 'node:util';
import vm from 'node:vm';
import ts from 'typescript';
import type { Converter } from 'tslab/dist/converter.js';
import { KERNEL, type NotebookKernel } from '../notebook-kernel.js';
import { prepareCell, projectRoot, type PreparedCell } from './cell.js';
import { describeDiagnostics, describeError, Interrupted, type NotebookError } from './errors.js';
import { createInterrupter } from './interrupt.js';
import { serve } from './server.js';
import { replaceTypeScriptOfTslab } from './typescript.js';
import { startWatchdog } from './watchdog.js';

const watchdog = startWatchdog();
const root = projectRoot(fileURLToPath(import.meta.url));
const notebookDirectory = process.cwd();
const prepare = (cell: string, use: 'run' | 'look') => prepareCell(cell, root, notebookDirectory, use);

// tslab compiles cells as files of the working directory; they run in the notebook's folder, as with other kernels.
process.chdir(root);
replaceTypeScriptOfTslab(root);
const { createConverter } = await import('tslab/dist/converter.js');
const { createExecutor } = await import('tslab/dist/executor.js');
const { default: jupyter } = await import('tslab/dist/jupyter.js');
await preloadLibrary();

let cellError: NotebookError | undefined;
const converter = preparing(createConverter());
const converters = { node: converter, browser: converter, close: () => converter.close() };
const executor = createExecutor(root, converters, {
  log: console.log,
  error: (thrown: unknown, ...rest: unknown[]) => {
    // Complaints of the compiler come as a format and its arguments; convert() below has described them already.
    if (rest.length === 0) cellError = describeError(thrown);
    else
      cellError ??= { ename: 'Error', evalue: format(thrown, ...rest), traceback: [format(thrown, ...rest)] };
  },
});
process.chdir(notebookDirectory);

let stopCell: () => void = () => undefined;
const interrupter = createInterrupter(() => {
  executor.interrupt();
  stopCell();
}, watchdog.setPatience);
process.on('SIGINT', () => {
  interrupter.interrupt();
});
// tslab has Node.js catch the stop button while a cell's synchronous part runs, which takes the signal from everyone else.
const { runInThisContext } = vm;
vm.runInThisContext = (code: string, options?: vm.RunningCodeInNewContextOptions | string) =>
  runInThisContext(
    code,
    typeof options === 'string' ? options : { ...options, breakOnSigint: false },
  ) as unknown;

const execute = executor.execute.bind(executor);
executor.execute = async (cell) => {
  interrupter.startCell();
  cellError = undefined;
  const stopped = new Promise<boolean>((resolve) => {
    stopCell = () => {
      cellError = describeError(new Interrupted());
      resolve(false);
    };
  });
  // Code that the watchdog cuts off takes along whoever called it, and what would have run after it in the same turn: here, nothing.
  const done = new Promise(setImmediate).then(() => execute(cell));
  try {
    return await Promise.race([done, stopped]);
  } finally {
    interrupter.endCell();
  }
};

const kernel: NotebookKernel = {
  display(data, displayId, replace = false) {
    const transient = displayId === undefined ? {} : { display_id: displayId };
    const message = { data, metadata: {}, transient } as Parameters<typeof jupyter.lastWriteDisplayData>[0];
    jupyter.lastWriteDisplayData(message, replace);
  },
  interruptSignal: () => interrupter.signal(),
};
Object.assign(globalThis, { [KERNEL]: kernel });

const handler = new jupyter.JupyterHandlerImpl(executor, false);
const info = handler.handleKernel();
handler.handleKernel = () => ({ ...info, language_info: { ...info.language_info, version: ts.version } });
const server = new jupyter.ZmqServer(handler, process.argv[2]);
await serve(server, handler, () => cellError);
for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
  process.on(event, (error: unknown) => {
    // A running cell says so itself.
    if (error instanceof Interrupted && interrupter.isCellRunning()) return;
    console.error(describeError(error).traceback.join('\n'));
  });
}

/**
 * Cells are CommonJS and the library is ES modules: loaded here, it can be required on every supported Node.js, and the first cell that
 * imports it need not wait.
 */
async function preloadLibrary(): Promise<void> {
  const path = join(root, 'dist', 'lib', 'index.js');
  const library = Object.assign(new Module(path), { filename: path, loaded: true });
  library.exports = (await import(pathToFileURL(path).href)) as object;
  createRequire(import.meta.url).cache[path] = library as NodeJS.Module;
}

/** Lets tslab's converter see prepared cells while everyone else sees positions in the cell as it was written. */
function preparing(tslabs: Converter): Converter {
  const at = (cell: PreparedCell, position: number) => cell.toPrepared(position);
  return {
    ...tslabs,
    convert(previous, source) {
      const cell = prepare(source, 'run');
      const result = watchdog.protect(() => tslabs.convert(previous, cell.source));
      if (result.output !== undefined) result.hasToplevelAwait = cell.hasTopLevelAwait;
      if (result.diagnostics.length > 0) {
        const diagnostics = result.diagnostics.map(({ start, messageText, fileName }) => {
          if (fileName !== undefined) {
            return {
              line: start.line + 1,
              column: start.character + 1,
              message: `${fileName}: ${messageText}`,
            };
          }
          const before = source.slice(0, cell.toCell(start.offset)).split('\n');
          return { line: before.length, column: before[before.length - 1].length + 1, message: messageText };
        });
        cellError = describeDiagnostics(source, diagnostics);
      }
      return result;
    },
    inspect(previous, source, position) {
      const cell = prepare(source, 'look');
      return watchdog.protect(() => tslabs.inspect(previous, cell.source, at(cell, position)));
    },
    complete(previous, source, position) {
      const cell = prepare(source, 'look');
      const result = watchdog.protect(() => tslabs.complete(previous, cell.source, at(cell, position)));
      return { ...result, start: cell.toCell(result.start), end: cell.toCell(result.end) };
    },
  };
}
