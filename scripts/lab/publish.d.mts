export function notebookPath(root: string, name: string): string;
export function publishOutputs(
  root: string,
  name: string,
  notebook: { source: string; executed: string },
): string | undefined;
