export function openParts(
  folder: string,
  options?: { again?: boolean; gpus?: string; cwd?: string; mostMinutes?: number },
): {
  report(): string;
  haveFailed(): boolean;
  run(
    name: string,
    args: readonly string[],
    options?: { of?: readonly string[]; environment?: Record<string, string>; hasTable?: boolean },
  ): Promise<void>;
  skip(name: string, reason: string): void;
  linesOf(args: readonly string[]): Promise<string[]>;
};
