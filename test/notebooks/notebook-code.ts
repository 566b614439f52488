import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const FOLDER = fileURLToPath(new URL('../../notebooks/', import.meta.url));

interface Cell {
  cell_type: string;
  source: string[] | string;
}

/** The code cells of every notebook, by its name. */
export function notebookCells(): Map<string, string[]> {
  const files = readdirSync(FOLDER).filter((file) => file.endsWith('.ipynb'));
  return new Map(
    files.map((file) => {
      const { cells } = JSON.parse(readFileSync(join(FOLDER, file), 'utf8')) as { cells: Cell[] };
      const code = cells
        .filter((cell) => cell.cell_type === 'code')
        .map(({ source }) => [source].flat().join(''));
      return [file, code];
    }),
  );
}

/**
 * What the compiler says of programs, each as if it were a file in notebooks/: "dpo_mos.ipynb:12: Module ... has no exported member ...".
 * The line is counted over all cells.
 */
export function checkTypes(programs: ReadonlyMap<string, string>): string[] {
  const paths = new Map([...programs.keys()].map((name) => [join(FOLDER, `${name}.ts`), name]));
  const options: ts.CompilerOptions = {
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    target: ts.ScriptTarget.ES2022,
    lib: ['lib.es2023.d.ts'],
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    types: ['node'],
    typeRoots: [join(dirname(FOLDER.replace(/\/$/, '')), 'node_modules', '@types')],
  };
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists } = host;
  host.fileExists = (path) => paths.has(path) || fileExists(path);
  host.getSourceFile = (path, ...rest) => {
    const name = paths.get(path);
    if (name === undefined) return getSourceFile(path, ...rest);
    return ts.createSourceFile(path, `${programs.get(name)!}\nexport {};\n`, ts.ScriptTarget.ES2022, true);
  };
  const program = ts.createProgram([...paths.keys()], options, host);
  return [...paths].flatMap(([path, name]) => {
    const file = program.getSourceFile(path)!;
    const diagnostics = [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)];
    return diagnostics.map(({ start = 0, messageText }) => {
      const { line } = file.getLineAndCharacterOfPosition(start);
      return `${name}:${line + 1}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`;
    });
  });
}
