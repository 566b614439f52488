// Imports go one way: a folder of lib/ imports only from folders above it in the table of docs/architecture.md.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const table = readFileSync(join(import.meta.dirname, 'docs', 'architecture.md'), 'utf8');
const layers = Array.from(table.matchAll(/^\| `([a-z]+)\/` +\|/gm), ([, folder]) => folder);
if (layers.length === 0) throw new Error('docs/architecture.md has lost its table of folders');

const anyOf = (folders) => `^lib/(${folders.join('|')})/`;

export default {
  forbidden: [
    { name: 'no-circle', severity: 'error', from: {}, to: { circular: true } },
    ...layers.slice(0, -1).map((folder, index) => ({
      name: `${folder}-imports-only-from-above`,
      severity: 'error',
      from: { path: `^lib/${folder}/` },
      to: { path: anyOf(layers.slice(index + 1)) },
    })),
    {
      name: 'every-folder-is-in-the-table',
      severity: 'error',
      from: { path: '^lib/[^/]+/', pathNot: anyOf(layers) },
      to: {},
    },
    {
      name: 'files-beside-the-folders-import-none',
      severity: 'error',
      from: { path: '^lib/[^/]+\\.ts$', pathNot: '^lib/(index|cli)\\.ts$' },
      to: { path: '^lib/[^/]+/' },
    },
    {
      name: 'view-is-told-what-to-draw',
      severity: 'error',
      from: { path: '^lib/view/' },
      to: { path: '^lib/(engine|codec|policy|train|jobs)/' },
    },
    {
      name: 'surfaces-stand-side-by-side',
      severity: 'error',
      from: { path: '^lib/cli/' },
      to: { path: '^lib/notebook/' },
    },
    {
      name: 'one-architecture-is-behind-the-type-of-all',
      severity: 'error',
      from: { path: '^lib/', pathNot: '^lib/(policy/(bart/|architectures\\.ts$|index\\.ts$)|verify/)' },
      to: { path: '^lib/policy/bart/' },
    },
    {
      name: 'lib-imports-only-lib',
      severity: 'error',
      from: { path: '^lib/' },
      // By its own name the library would be loaded a second time, from dist/.
      to: { path: '^(bench|dist|recipes|scripts|speech-dpo|test)(/|$)' },
    },
  ],
  options: {
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
  },
};
