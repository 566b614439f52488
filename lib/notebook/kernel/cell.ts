import { dirname, join, relative, resolve, sep } from 'node:path';
import ts from 'typescript';

/** A cell's source as tslab can run it, and the way between positions in both. */
export interface PreparedCell {
  source: string;
  hasTopLevelAwait: boolean;
  /** From an offset in the cell to the one in `source`. */
  toPrepared(offset: number): number;
  /** From an offset in `source` to the one in the cell. */
  toCell(offset: number): number;
}

interface Edit {
  start: number;
  end: number;
  text: string;
}

/**
 * Rewrites what tslab does not understand:
 * - tslab runs cells as files of the project's root, so relative imports are made relative to it; those of `lib` and of the package's own
 *   name lead to the compiled library, which is ready to run and has its declarations beside it.
 * - tslab binds names of earlier cells as `exports.name` and misses the shorthand `{ name }`: it becomes `{ name: name }`.
 * - It also binds what is taken out of an earlier cell's object, the `name` of `const { name: other } = it`: that becomes `{ 'name': other }`.
 *
 * @param notebookDirectory what the cell's relative imports are relative to
 * @param use a cell that is looked at, to complete or explain a name, keeps its shorthands: `{ it` is where the names of options go
 */
export function prepareCell(
  cell: string,
  root: string,
  notebookDirectory: string,
  use: 'run' | 'look' = 'run',
): PreparedCell {
  const file = ts.createSourceFile('cell.ts', cell, ts.ScriptTarget.ESNext, true, ts.ScriptKind.TS);
  const edits: Edit[] = [];
  const visit = (node: ts.Node): void => {
    if (use === 'run' && ts.isShorthandPropertyAssignment(node)) {
      const start = node.name.getStart(file);
      edits.push({ start, end: start, text: `${node.name.text}: ` });
    }
    const taken = use === 'run' && ts.isBindingElement(node) ? node.propertyName : undefined;
    if (taken && ts.isIdentifier(taken))
      for (const at of [taken.getStart(file), taken.getEnd()]) edits.push({ start: at, end: at, text: "'" });
    const specifier = importSpecifier(node);
    if (specifier && /^(\.|speech-dpo$)/.test(specifier.text)) {
      const text = JSON.stringify(locateModule(specifier.text, root, notebookDirectory));
      edits.push({ start: specifier.getStart(file), end: specifier.getEnd(), text });
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  edits.sort((a, b) => a.start - b.start);
  return {
    source: applyEdits(cell, edits),
    hasTopLevelAwait: hasTopLevelAwait(cell),
    toPrepared: (offset) =>
      offset + edits.filter(({ start }) => start < offset).reduce((total, edit) => total + growth(edit), 0),
    toCell(offset) {
      let grown = 0;
      for (const edit of edits) {
        if (offset < edit.start + grown) break;
        // Inside the new text: where the old text began.
        if (offset < edit.start + grown + edit.text.length) return Math.min(offset - grown, edit.end);
        grown += growth(edit);
      }
      return offset - grown;
    },
  };
}

/** The module's name in an import, a re-export, `import()` or `require()`. */
function importSpecifier(node: ts.Node): ts.StringLiteral | undefined {
  let specifier: ts.Node | undefined;
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) specifier = node.moduleSpecifier;
  if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) specifier = node.argument.literal;
  if (ts.isCallExpression(node) && isImportCall(node.expression)) specifier = node.arguments[0];
  return specifier && ts.isStringLiteral(specifier) ? specifier : undefined;
}

function isImportCall(expression: ts.Expression): boolean {
  const isRequire = ts.isIdentifier(expression) && expression.text === 'require';
  return isRequire || expression.kind === ts.SyntaxKind.ImportKeyword;
}

function locateModule(specifier: string, root: string, notebookDirectory: string): string {
  if (specifier === 'speech-dpo') return './dist/lib/index.js';
  if (!/^\.\.?(\/|$)/.test(specifier)) return specifier;
  const path = relative(root, resolve(notebookDirectory, specifier)).split(sep).join('/');
  if (path === 'lib' || /^lib\/index(\.[jt]s)?$/.test(path)) return './dist/lib/index.js';
  if (path.startsWith('lib/')) return `./dist/${path.replace(/\.ts$|(?<!\.js)$/, '.js')}`;
  return path.startsWith('../../../scripts/') ? path : `./${path}`;
}

function applyEdits(text: string, edits: readonly Edit[]): string {
  return edits.reduceRight(
    (result, edit) => result.slice(0, edit.start) + edit.text + result.slice(edit.end),
    text,
  );
}

function growth({ start, end, text }: Edit): number {
  return text.length - (end - start);
}

function hasTopLevelAwait(cell: string): boolean {
  // As a module: elsewhere `await (x)` is the call of a function named await.
  const module = `export {};\n${cell}`;
  const file = ts.createSourceFile('cell.ts', module, ts.ScriptTarget.ESNext, false, ts.ScriptKind.TS);
  const visit = (node: ts.Node): boolean => {
    if (ts.isAwaitExpression(node)) return true;
    if (ts.isForOfStatement(node) && node.awaitModifier) return true;
    if (
      ts.isVariableDeclarationList(node) &&
      (node.flags & ts.NodeFlags.AwaitUsing) === ts.NodeFlags.AwaitUsing
    )
      return true;
    if (ts.isFunctionLike(node)) return false;
    return ts.forEachChild(node, (child) => visit(child) || undefined) ?? false;
  };
  return visit(file);
}

/** The folder of this project's package.json from a file under dist/lib/notebook/kernel. */
export function projectRoot(file: string): string {
  return join(dirname(file), '..', '..', '..', '..');
}
