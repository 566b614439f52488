export function labArguments(further: readonly string[]): string[];
