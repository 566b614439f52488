import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { findPackageRoot } from '../../lib/package-root.js';
import { eventSchema } from '../../lib/run/event-schema.js';
import { warnings } from '../../lib/run/events.js';
import { GUARD_FIGURES } from '../../lib/reward/guard.js';

type Shape = Record<string, z.core.$ZodType>;

/** A field in parentheses where it may be absent. */
function fieldsOf(name: string, shape: Shape): string[] {
  return Object.entries(shape)
    .filter(([field]) => field !== 'type')
    .map(([field, type]) => `${name} ${type instanceof z.ZodOptional ? `(${field})` : field}`);
}

function shapeOf(type: z.core.$ZodType): Shape {
  if (type instanceof z.ZodArray) return shapeOf(type.element);
  if (type instanceof z.ZodObject) return type.shape;
  throw new Error(`${type._zod.def.type} has no fields`);
}

it('docs/metrics.md has every field of metrics.jsonl, and no other', () => {
  const text = readFileSync(join(findPackageRoot(), 'docs', 'metrics.md'), 'utf8');
  const told = Array.from(text.matchAll(/^\| `(\w+)` +\| (\(?)`([\w/]+)`/gm), ([, name, open, field]) =>
    open ? `${name} (${field})` : `${name} ${field}`,
  );
  const events = eventSchema.options.map(({ shape }) => ({
    name: shape.type.value as string,
    shape: shape as Shape,
  }));
  const objects = ['statistics', 'guards', 'metrics'].map((name) => ({
    name,
    shape: shapeOf(events.find(({ shape }) => name in shape)!.shape[name]),
  }));
  const there = [...events, ...objects].flatMap(({ name, shape }) => fieldsOf(name, shape));
  expect(told).toHaveLength(new Set(told).size);
  expect(told.sort()).toEqual(there.sort());
  for (const { name } of events) expect(text).toContain(`\`${name}\``);
  for (const figure of Object.keys(GUARD_FIGURES)) expect(text).toContain(`\`${figure}\``);
  const [about] = /^\| `warned` +\| `about`.*$/m.exec(text)!;
  for (const word of warnings) expect(about).toContain(`\`${word}\``);
});
