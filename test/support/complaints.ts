import { afterEach, beforeEach, vi } from 'vitest';

/** Keeps what each test of a file writes to standard error from the terminal; the function returned gives it. */
export function captureComplaints(): () => string {
  let complaints: string;
  beforeEach(() => {
    complaints = '';
    vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
      complaints += String(text);
      return true;
    });
  });
  afterEach(() => {
    vi.restoreAllMocks();
  });
  return () => complaints;
}
