import ts from 'typescript';
import { parametersSchema } from '../../run/parameters.js';

type Fields = typeof parametersSchema.shape;
const fields = new Map<string, Fields[keyof Fields]>(Object.entries(parametersSchema.shape));

/** What a run's parameter means, with its unit and default, as `--help` says it; undefined for a symbol that is none. */
export function parameterHelp(symbol: ts.Symbol): string | undefined {
  const field = symbol.declarations?.some(isAmongParameters) ? fields.get(symbol.name) : undefined;
  if (!field) return undefined;
  return `${field.description}\nDefault: ${JSON.stringify(field.parse(undefined))}`;
}

/** Declarations know the types alone. Those of a run's parameters stand together, in the library and in what tslab keeps of a cell. */
function isAmongParameters({ parent }: ts.Declaration): boolean {
  if (!ts.isTypeLiteralNode(parent)) return false;
  const names = new Set(parent.members.map(({ name }) => name && ts.isIdentifier(name) && name.text));
  return [...fields.keys()].every((name) => names.has(name));
}
