export function hashOf(source: string): string;
