export function labArguments(further: readonly string[], folder?: string): string[];
