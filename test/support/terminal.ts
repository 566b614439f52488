import { afterEach, beforeEach, vi } from 'vitest';

/** Keeps what each test of a file writes to standard output and standard error from the terminal, and gives it. */
export function captureTerminal(): { printed: string; complained: string } {
  const terminal = { printed: '', complained: '' };
  beforeEach(() => {
    Object.assign(terminal, { printed: '', complained: '' });
    vi.spyOn(process.stdout, 'write').mockImplementation((text) =>
      Boolean((terminal.printed += String(text))),
    );
    vi.spyOn(process.stderr, 'write').mockImplementation((text) =>
      Boolean((terminal.complained += String(text))),
    );
  });
  afterEach(() => {
    vi.restoreAllMocks();
  });
  return terminal;
}
