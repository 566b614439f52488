import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const FOLDER = fileURLToPath(new URL('../../notebooks/', import.meta.url));
const LARGEST_BYTES = 1.5 * 2 ** 20;

interface Output {
  output_type: string;
  name?: string;
  data?: Record<string, unknown>;
}

interface Notebook {
  cells: { cell_type: string; execution_count?: number | null; outputs?: Output[] }[];
}

const files = readdirSync(FOLDER).filter((file) => file.endsWith('.ipynb'));

describe.each(files)('the outputs of %s as committed', (file) => {
  const text = readFileSync(join(FOLDER, file), 'utf8');
  const cells = (JSON.parse(text) as Notebook).cells.filter(({ cell_type }) => cell_type === 'code');
  const outputs = cells.flatMap((cell) => cell.outputs ?? []);

  it('are of one run from top to bottom, without errors', () => {
    expect(cells.map(({ execution_count }) => execution_count)).toEqual(cells.map((_, i) => i + 1));
    expect(outputs.filter(({ output_type, name }) => output_type === 'error' || name === 'stderr')).toEqual(
      [],
    );
  });

  it('have a still picture of every chart', () => {
    const charts = outputs.filter(({ data }) => data?.['application/vnd.plotly.v1+json']);
    expect(charts.length).toBeGreaterThan(0);
    for (const { data } of charts) expect([data!['image/svg+xml']].flat().join('')).toMatch(/^<svg/);
  });

  it('are small enough for a code host, and tell nothing of the machine they were made on', () => {
    expect(Buffer.byteLength(text)).toBeLessThan(LARGEST_BYTES);
    expect(text).not.toMatch(/\/(home|root|Users|tmp|work)\/|C:\\\\/);
  });
});
