import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openTypeScript } from '../../lib/reward/module-hooks.js';
import { temporaryFolder } from '../support/temporary-folder.js';

const MENDS = 'install it (npm install typescript@5), or write the reward as .mjs';

describe('the package typescript, for rewards in TypeScript where Node.js does not read it,', () => {
  it('translates them', () => {
    const { transpileModule } = openTypeScript();
    expect(transpileModule('export const one: number = 1;', {}).outputText).toContain('one = 1');
  });

  it('is named with the command that installs it where it is missing', () => {
    expect(() => openTypeScript(join(temporaryFolder(), 'reward.ts'))).toThrow(
      `Node.js ${process.versions.node} does not read TypeScript, and the package typescript, which would translate it, is not installed; ${MENDS}`,
    );
  });

  it('is named with its version where it cannot translate a single file', () => {
    const folder = temporaryFolder();
    const place = join(folder, 'node_modules', 'typescript');
    mkdirSync(place, { recursive: true });
    writeFileSync(join(place, 'package.json'), JSON.stringify({ main: 'index.js' }));
    writeFileSync(join(place, 'index.js'), "exports.version = '9.0.0';");
    expect(() => openTypeScript(join(folder, 'reward.ts'))).toThrow(
      `typescript 9.0.0 does not translate single files; ${MENDS}`,
    );
  });
});
