import { expect, it } from 'vitest';
import { labArguments } from '../../scripts/lab/arguments.mjs';

it('JupyterLab listens on this machine only, and keeps the token that it asks for', () => {
  const args = labArguments(['--port=9000']);
  expect(args.filter((argument) => argument.startsWith('--ip'))).toEqual(['--ip=127.0.0.1']);
  expect(args.join(' ')).not.toMatch(/token|password|allow_origin|disable_check_xsrf|allow_remote/i);
  expect(args.at(-1)).toBe('--port=9000');
});
