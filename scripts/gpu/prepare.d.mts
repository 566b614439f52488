export function prepareGpu(
  args: readonly string[],
  machine: {
    root: string;
    platform?: string;
    arch?: string;
    environment?: NodeJS.ProcessEnv;
    /** Where libraries are looked for, beside LD_LIBRARY_PATH and what ldconfig lists. */
    libraryFolders?: readonly string[];
    freeBytes?: number;
    /** Is told which package is being fetched. */
    onNotice?: (sentence: string) => void;
  },
): string[];
