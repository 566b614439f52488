/** What lib/data/parquet-*.ts use of hyparquet beside its public face (docs/architecture.md says why); an upgrade may move it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { assembleLists, assembleNested } from 'hyparquet/src/assemble.js';
import { parquetHeader } from 'hyparquet/src/column.js';
import { convert } from 'hyparquet/src/convert.js';
import { decompressPage, readDataPage } from 'hyparquet/src/datapage.js';
import { readPlain } from 'hyparquet/src/plain.js';
import { getMaxDefinitionLevel, getMaxRepetitionLevel, getTreePath } from 'hyparquet/src/schema.js';
import { snappyUncompress } from 'hyparquet/src/snappy.js';
import { readVarInt } from 'hyparquet/src/thrift.js';
import { findPackageRoot } from '../../lib/package-root.js';

const USED = {
  assembleLists,
  assembleNested,
  parquetHeader,
  convert,
  decompressPage,
  readDataPage,
  readPlain,
  getMaxDefinitionLevel,
  getMaxRepetitionLevel,
  getTreePath,
  snappyUncompress,
  readVarInt,
};

it('hyparquet still has the functions that pages are read with, in the version that they were read in', () => {
  const { dependencies } = JSON.parse(readFileSync(join(findPackageRoot(), 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  expect(
    dependencies.hyparquet,
    'hyparquet was upgraded: compare src/{assemble,column,convert,datapage,plain,schema,snappy,thrift}.js with 1.31.5, run test/data, then write the new version here',
  ).toBe('1.31.5');
  for (const [name, used] of Object.entries(USED))
    expect(used, `hyparquet's ${name} has moved`).toBeTypeOf('function');
});
