/**
 * How the modules of rewards are found and read. Node.js runs these hooks in a thread of their own (`module.register`).
 *
 * `speech-dpo` is the package that runs, wherever the reward's file lies, so that both share their classes. TypeScript becomes JavaScript where
 * Node.js does not read it (before 22.18), by the TypeScript that tslab brings; types are taken out and not checked.
 */
import { readFile } from 'node:fs/promises';
import { createRequire, type LoadHook, type ResolveHook } from 'node:module';
import { fileURLToPath } from 'node:url';
import type ts from 'typescript';

export const resolve: ResolveHook = (specifier, context, next) =>
  /^speech-dpo(\/|$)/.test(specifier)
    ? next(specifier, { ...context, parentURL: import.meta.url })
    : next(specifier, context);

export const load: LoadHook = async (url, context, next) => {
  const readsTypeScript = 'typescript' in process.features && Boolean(process.features.typescript);
  if (readsTypeScript || !/^file:.*\.m?ts$/.test(url)) return next(url, context);
  const path = fileURLToPath(url);
  return { format: 'module', source: translate(await readFile(path, 'utf8'), path), shortCircuit: true };
};

/** @throws Error in one sentence naming the line of a mistake in the syntax */
function translate(source: string, path: string): string {
  const { transpileModule, ModuleKind, ScriptTarget, flattenDiagnosticMessageText } = openTypeScript();
  const compilerOptions = { module: ModuleKind.ESNext, target: ScriptTarget.ES2022 };
  const { outputText, diagnostics } = transpileModule(source, {
    ...{ fileName: path, compilerOptions, reportDiagnostics: true },
  });
  const [mistake] = diagnostics ?? [];
  if (!mistake) return outputText;
  const line = source.slice(0, mistake.start).split('\n').length;
  throw new Error(`line ${line} of ${path}: ${flattenDiagnosticMessageText(mistake.messageText, ' ')}`);
}

function openTypeScript(): typeof ts {
  const require = createRequire(import.meta.url);
  let path: string;
  try {
    path = createRequire(require.resolve('tslab')).resolve('@tslab/typescript-for-tslab');
  } catch (error) {
    throw new Error(
      `Node.js ${process.versions.node} does not read TypeScript, and the package tslab, whose TypeScript would translate it, is not installed; install it (npm install tslab), or write the reward as .mjs`,
      { cause: error },
    );
  }
  return require(path) as typeof ts;
}
