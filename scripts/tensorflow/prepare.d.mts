export function prepareTensorFlow(
  args: readonly string[],
  machine: {
    root: string;
    nodeVersion?: string;
    environment?: NodeJS.ProcessEnv;
    onNotice?: (sentence: string) => void;
  },
): string;

export function compileAddon(
  root: string,
  name: string,
  machine?: {
    platform?: string;
    arch?: string;
    environment?: NodeJS.ProcessEnv;
    freeBytes?: number;
    onNotice?: (sentence: string) => void;
  },
): void;
