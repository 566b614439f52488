import type { z } from 'zod';

/** All of a zod error in one sentence: `train[3].instruction: expected string, received number; ...`. At most five issues are named. */
export function describeIssues(error: z.ZodError): string {
  const named = error.issues.slice(0, 5).map((issue) => {
    const path = formatPath(issue.path);
    const message = isFraction(issue) ? 'expected a whole number' : lowerFirst(issue.message);
    return path ? `${path}: ${message}` : message;
  });
  const more = error.issues.length - named.length;
  return named.join('; ') + (more > 0 ? `; and ${more} more` : '');
}

/** Whether a number was given where zod expects one without a fraction: zod would say that it expected an int and received a number. */
function isFraction(issue: z.core.$ZodIssue): boolean {
  return issue.code === 'invalid_type' && String(issue.expected) === 'int';
}

function formatPath(path: readonly PropertyKey[]): string {
  return path
    .map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`))
    .join('')
    .replace(/^\./, '');
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
