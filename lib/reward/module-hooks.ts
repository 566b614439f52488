/**
 * How the modules of rewards are found and read. Node.js runs these hooks in a thread of their own (`module.register`).
 *
 * `speech-dpo` is the package that runs, wherever the reward's file lies, so that both share their classes. TypeScript becomes JavaScript where
 * Node.js does not read it (before 22.18), by the package typescript; types are taken out and not checked.
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
    fileName: path,
    compilerOptions,
    reportDiagnostics: true,
  });
  const [mistake] = diagnostics ?? [];
  if (!mistake) return outputText;
  const line = source.slice(0, mistake.start).split('\n').length;
  throw new Error(`line ${line} of ${path}: ${flattenDiagnosticMessageText(mistake.messageText, ' ')}`);
}

/**
 * The package typescript, which a project of one's own need not have.
 *
 * @param from the file whose packages are searched
 * @throws Error in one sentence: what is missing, and the command that mends it
 */
export function openTypeScript(from = import.meta.url): typeof ts {
  const { node } = process.versions;
  const mends = 'install it (npm install typescript@5), or write the reward as .mjs';
  let typescript: Partial<typeof ts>;
  try {
    typescript = createRequire(from)('typescript') as typeof ts;
  } catch (error) {
    throw new Error(
      `Node.js ${node} does not read TypeScript, and the package typescript, which would translate it, is not installed; ${mends}`,
      { cause: error },
    );
  }
  if (!typescript.transpileModule)
    throw new Error(
      `Node.js ${node} does not read TypeScript, and typescript ${typescript.version} does not translate single files; ${mends}`,
    );
  return typescript as typeof ts;
}
