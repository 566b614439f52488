import fc from 'fast-check';
import stringWidth from 'string-width';
import { describe, expect, it } from 'vitest';
import { progressLine } from '../../lib/view/progress-line.js';

const fields = { rate: '12/s', remaining: '3 min 20 s left', loss: 'loss 0.244', reward: 'reward −1.25' };
const training = { job: 'iteration 12: training', done: 45, total: 100, fields };
const evaluating = { ...training, job: 'iteration 12: evaluating on training prompts' };

describe('the line of a job under way', () => {
  it.each([
    [200, `${'█'.repeat(18)}${'░'.repeat(22)} 45/100 12/s, 3 min 20 s left, loss 0.244, reward −1.25`],
    [120, `${'█'.repeat(18)}${'░'.repeat(22)} 45/100 12/s, 3 min 20 s left, loss 0.244, reward −1.25`],
    [100, `${'█'.repeat(10)}${'░'.repeat(12)} 45/100 12/s, 3 min 20 s left, loss 0.244, reward −1.25`],
    [80, `${'█'.repeat(7)}${'░'.repeat(9)} 45/100 12/s, 3 min 20 s left, loss 0.244`],
    [60, '████░░░░ 45/100 12/s, 3 min 20 s left'],
  ])('gets shorter in %i columns', (columns, rest) => {
    const line = progressLine(training, columns);
    expect(line).toBe(`iteration 12: training ${rest}`);
  });

  it('keeps count, rate and time left in 80 columns, whatever the job', () => {
    expect(progressLine(evaluating, 80)).toBe(
      'iteration 12: evaluating on training prompts ███░░░ 45/100 12/s, 3 min 20 s left',
    );
    expect(progressLine({ ...evaluating, done: 12345, total: 20000 }, 80)).toBe(
      'iteration 12: evaluating on training prompts 12345/20000 12/s, 3 min 20 s left',
    );
  });

  it('cuts only the name in 40 columns, and goes down to the count', () => {
    expect(progressLine(evaluating, 40)).toBe('iteration… 45/100 12/s, 3 min 20 s left');
    expect(progressLine(evaluating, 30)).toBe('iterat… 45/100 3 min 20 s left');
    expect(progressLine(evaluating, 16)).toBe('iteratio… 45/100');
    expect(progressLine(evaluating, 8)).toBe('45/100');
  });

  it('never cuts a figure and never goes beyond the columns, in any script', () => {
    const figure = fc.oneof(
      fc.constant(undefined),
      fc.string({ unit: fc.constantFrom(...'0123456789.'), minLength: 1, maxLength: 12 }),
    );
    const job = fc.string({
      unit: fc.constantFrom('a', ' ', '語', '🎧', '👩‍👩‍👧', 'é', 'ש', '\u200f'),
      maxLength: 60,
    });
    fc.assert(
      fc.property(
        job,
        fc.nat(1e6),
        fc.nat(1e6),
        fc.record({ rate: figure, remaining: figure, loss: figure, reward: figure }),
        fc.integer({ min: 16, max: 240 }),
        (name, done, total, given, columns) => {
          const line = progressLine({ job: name, done, total, fields: given }, columns);
          expect(stringWidth(line)).toBeLessThanOrEqual(columns);
          const allowed = new Set([`${done}/${total}`, ...Object.values(given)]);
          const shown = line.match(/\d[\d./]*|\.[\d.]*/g)!;
          for (const text of shown) expect(allowed).toContain(text);
          expect(line).toContain(`${done}/${total}`);
        },
      ),
    );
  });
});
