/**
 * Puts the project's own TypeScript in the place of tslab's fork (5.0.4): current syntax, and types of current packages.
 *
 * The fork adds four functions to stock TypeScript, which are supplied here. They use TypeScript's internals, so package.json pins both
 * versions exactly and test/notebook/kernel holds this to what cells need.
 */
import { createRequire, Module } from 'node:module';
import { dirname, join } from 'node:path';
import ts from 'typescript';
import { parameterHelp } from './parameter-help.js';

/** What this file uses of TypeScript that its declarations do not show. */
interface Internals {
  nullTransformationContext: unknown;
  getTouchingPropertyName(file: ts.SourceFile, position: number): ts.Node;
  getContainerNode(node: ts.Node): ts.Node;
  getContainingObjectLiteralElement(node: ts.Node): ts.ObjectLiteralElementLike | undefined;
  getPropertySymbolsFromContextualType(
    element: ts.ObjectLiteralElementLike,
    checker: ts.TypeChecker,
    type: ts.Type,
    unionSymbolOk: boolean,
  ): ts.Symbol[];
  SymbolDisplay: {
    getSymbolDisplayPartsDocumentationAndSymbolKind(
      ...args: unknown[]
    ): Pick<ts.QuickInfo, 'displayParts' | 'documentation' | 'tags'> & { symbolKind: ts.ScriptElementKind };
  };
  Completions: { getCompletionsAtPosition(...args: unknown[]): ts.CompletionInfo | undefined };
}

const internals = ts as unknown as Internals;

/** @param root cells are compiled as if they were files there */
export function replaceTypeScriptOfTslab(root: string): void {
  const require = createRequire(import.meta.url);
  const fork = createRequire(require.resolve('tslab')).resolve('@tslab/typescript-for-tslab');
  const substitute = Object.assign(new Module(fork), { filename: fork, loaded: true });
  substitute.exports = Object.defineProperties({}, descriptors(root));
  require.cache[fork] = substitute as NodeJS.Module;
}

function descriptors(root: string): PropertyDescriptorMap {
  const own = Object.getOwnPropertyDescriptors(ts) as PropertyDescriptorMap;
  for (const descriptor of Object.values(own)) descriptor.configurable = true;
  const additions: Record<string, unknown> = {
    createWatchCompilerHost,
    getNullTransformationContext: () => internals.nullTransformationContext,
    getDefaultTypeRoots,
    getPreEmitDiagnosticsOfFiles,
    getQuickInfoAtPosition,
    Completions: {
      ...internals.Completions,
      getCompletionsAtPositionForTslab: (_host: unknown, program: ts.Program, ...rest: unknown[]) =>
        completionsAt(root, program, rest),
    },
  };
  for (const [name, value] of Object.entries(additions)) {
    own[name] = { enumerable: true, configurable: true, value };
  }
  return own;
}

/** tslab's options, without two that current TypeScript no longer knows, and with those that cells are checked by. */
function createWatchCompilerHost(
  files: string[],
  { noImplicitUseStrict: _, disableTopLevelAwait: __, ...options }: ts.CompilerOptions,
  ...rest: unknown[]
): unknown {
  const cellOptions: ts.CompilerOptions = {
    strict: true,
    // Of Node.js, not of a browser: without lib.dom.d.ts.
    lib: ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts'],
    types: ['node'],
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    target: ts.ScriptTarget.ES2022,
  };
  const create = ts.createWatchCompilerHost as unknown as (...args: unknown[]) => ts.WatchHost;
  return withTimersOfItsOwn(create(files, { ...options, ...cellOptions }, ...rest));
}

/**
 * tslab keeps one timer, that of the program's update, and fails with every further cell where TypeScript asks for another beside it: when a
 * file of a folder that modules were looked for in has changed, as by a build or `npm install`. That one becomes Node.js' own.
 */
function withTimersOfItsOwn<Host extends ts.WatchHost>(host: Host): Host {
  const { setTimeout: startUpdate, clearTimeout: stopUpdate } = host;
  return Object.assign(host, {
    setTimeout(callback: () => void, ms: number, name: string) {
      if (name === 'timerToUpdateProgram') return startUpdate!(callback, ms, name) as unknown;
      return setTimeout(callback, ms);
    },
    clearTimeout(timer: NodeJS.Timeout | object) {
      if ('hasRef' in timer) clearTimeout(timer);
      else stopUpdate!(timer);
    },
  });
}

function getDefaultTypeRoots(directory: string): string[] {
  const roots: string[] = [];
  for (let at = directory; ; at = dirname(at)) {
    const root = join(at, 'node_modules', '@types');
    if (ts.sys.directoryExists(root)) roots.push(root);
    if (dirname(at) === at) return roots;
  }
}

function getPreEmitDiagnosticsOfFiles(program: ts.Program, files: ts.SourceFile[]): readonly ts.Diagnostic[] {
  return ts.sortAndDeduplicateDiagnostics([
    ...program.getConfigFileParsingDiagnostics(),
    ...program.getOptionsDiagnostics(),
    ...program.getGlobalDiagnostics(),
    ...files.flatMap((file) => [
      ...program.getSyntacticDiagnostics(file),
      ...program.getSemanticDiagnostics(file),
      ...program.getDeclarationDiagnostics(file),
    ]),
  ]);
}

function getQuickInfoAtPosition(
  file: ts.SourceFile,
  checker: ts.TypeChecker,
  _token: unknown,
  position: number,
): ts.QuickInfo | undefined {
  const node = internals.getTouchingPropertyName(file, position);
  const symbol = node === file ? undefined : symbolToExplain(node, checker);
  if (!symbol) return undefined;
  const { symbolKind, ...info } = internals.SymbolDisplay.getSymbolDisplayPartsDocumentationAndSymbolKind(
    checker,
    symbol,
    file,
    internals.getContainerNode(node),
    node,
  );
  const textSpan = ts.createTextSpan(node.getStart(file), node.getEnd() - node.getStart(file));
  const help = parameterHelp(symbol);
  if (help !== undefined) info.documentation = [{ kind: 'text', text: help }];
  return { kind: symbolKind, kindModifiers: '', textSpan, ...info };
}

/** Of a name in an object literal, the property that is asked for there: it has the documentation. */
function symbolToExplain(node: ts.Node, checker: ts.TypeChecker): ts.Symbol | undefined {
  const element = internals.getContainingObjectLiteralElement(node);
  const wanted = element && checker.getContextualType(element.parent as ts.ObjectLiteralExpression);
  const properties =
    wanted && internals.getPropertySymbolsFromContextualType(element, checker, wanted, false);
  return properties?.length === 1 ? properties[0] : checker.getSymbolAtLocation(node);
}

function completionsAt(root: string, program: ts.Program, rest: unknown[]): ts.CompletionInfo | undefined {
  const host = {
    getCompilationSettings: () => program.getCompilerOptions(),
    getCurrentDirectory: () => root,
    fileExists: ts.sys.fileExists,
    readFile: ts.sys.readFile,
    getScriptFileNames: () => [],
    getScriptVersion: () => '0',
    getScriptSnapshot: () => undefined,
    getDefaultLibFileName: ts.getDefaultLibFilePath,
  };
  const [log, file, position, preferences, triggerKind] = rest;
  const withSymbols = [log, file, position, preferences, triggerKind, undefined, undefined, undefined, true];
  const info = internals.Completions.getCompletionsAtPosition(host, program, ...withSymbols);
  return info && { ...info, entries: info.entries.filter(({ symbol }) => !isOfBrowser(symbol)) };
}

/** TensorFlow.js brings the declarations of WebGPU along, as global names. */
function isOfBrowser(symbol: ts.Symbol | undefined): boolean {
  const files = symbol?.declarations?.map((declaration) => declaration.getSourceFile().fileName) ?? [];
  return files.length > 0 && files.every((file) => file.includes('/@webgpu/types/'));
}
