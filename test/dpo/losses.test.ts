/** Each loss against its closed form in float64; test/verify/losses.test.ts compares them with TRL. */
import { describe, expect, it } from 'vitest';
import { lossNames, namedLoss, type LossName, type LossSettings } from '../../lib/dpo/losses/named.js';
import { metricsOfLoss } from '../../lib/dpo/metrics.js';
import { aotLoss } from '../../lib/dpo/losses/aot.js';
import { exoPairLoss, robustLoss, sigmoidLoss } from '../../lib/dpo/losses/margin.js';
import { sftLoss } from '../../lib/dpo/losses/mixed.js';

const SETTINGS: LossSettings = {
  loss: 'sigmoid',
  lossWeights: null,
  beta: 0.3,
  labelSmoothing: 0,
  simpoGamma: 0.4,
  rewardScale: 0.7,
  desirableWeight: 1.25,
  undesirableWeight: 0.75,
  rpoAlpha: 0,
};

// Three pairs: chosen and rejected.
const policy = [-10.5, -12.25, -31, -28.75, -7.125, -7];
const reference = [-11, -12, -30.25, -30.5, -7.5, -6.25];
const labels = [5, 6, 14, 12, 4, 3];
const rewards = [4.5, 2.5, 3.25, 3, 5, 1];

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
const logSigmoid = (x: number) => -Math.log1p(Math.exp(-x));
const meanOf = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Of pair i: log (policy / reference) of chosen and rejected, beta times these, and the margin between the two. */
function numbersOf(i: number) {
  const ratios = [0, 1].map((side) => policy[2 * i + side] - reference[2 * i + side]);
  const [r, s] = ratios.map((ratio) => SETTINGS.beta * ratio);
  const perLabel = ratios.map((ratio, side) => ratio / labels[2 * i + side]);
  return { ratios, r, s, m: r - s, d: perLabel[0] - perLabel[1] };
}

const { beta } = SETTINGS;
const ascending = (values: number[]) => values.toSorted((a, b) => a - b);
const logRatios = (of: number[]) => ascending([0, 1, 2].map((i) => of[2 * i] - of[2 * i + 1]));
const SMOOTHING = 0.1;
const smoothed = (m: number) => -(1 - SMOOTHING) * logSigmoid(m) - SMOOTHING * logSigmoid(-m);

/** The loss of pair i, with label smoothing where the loss has it. */
const CLOSED: Record<Exclude<LossName, 'kto' | 'sft'>, (i: number) => number> = {
  sigmoid: (i) => smoothed(numbersOf(i).m),
  robust: (i) => {
    const { m } = numbersOf(i);
    return (-(1 - SMOOTHING) * logSigmoid(m) + SMOOTHING * logSigmoid(-m)) / (1 - 2 * SMOOTHING);
  },
  hinge: (i) => Math.max(0, 1 - numbersOf(i).m),
  ipo: (i) => (numbersOf(i).d - 1 / (2 * beta)) ** 2,
  sigmoid_norm: (i) => -logSigmoid(beta * numbersOf(i).d),
  simpo: (i) => {
    const [chosen, rejected] = [0, 1].map((side) => (beta * policy[2 * i + side]) / labels[2 * i + side]);
    return -logSigmoid(chosen - rejected - SETTINGS.simpoGamma);
  },
  apo_zero: (i) => 1 - sigmoid(numbersOf(i).r) + sigmoid(numbersOf(i).s),
  apo_down: (i) => sigmoid(numbersOf(i).r) + 1 - sigmoid(numbersOf(i).m),
  exo_pair: (i) => {
    const { m } = numbersOf(i);
    const [q, other] = [sigmoid(m), sigmoid(-m)];
    return q * Math.log(q / (1 - SMOOTHING)) + other * Math.log(other / SMOOTHING);
  },
  nca_pair: (i) => {
    const { r, s } = numbersOf(i);
    return -logSigmoid(r) - 0.5 * logSigmoid(-r) - 0.5 * logSigmoid(-s);
  },
  bco_pair: (i) => -logSigmoid(numbersOf(i).r) - logSigmoid(-numbersOf(i).s),
  sppo_hard: (i) => {
    const [chosen, rejected] = numbersOf(i).ratios;
    return (chosen - 0.5 / beta) ** 2 + (rejected + 0.5 / beta) ** 2;
  },
  aot: (i) => smoothed(beta * (logRatios(policy)[i] - logRatios(reference)[i])),
  rpo_bwd_kl: (i) => {
    const { m } = numbersOf(i);
    const gap = SETTINGS.rewardScale * (rewards[2 * i] - rewards[2 * i + 1]);
    const divergence = (p: number, q: number) => p * Math.log(p / q);
    return divergence(sigmoid(gap), sigmoid(m)) + divergence(sigmoid(-gap), sigmoid(-m));
  },
};

const SMOOTHABLE = ['sigmoid', 'robust', 'exo_pair', 'aot'];
const settingsOf = (loss: string): LossSettings => ({
  ...SETTINGS,
  loss,
  labelSmoothing: SMOOTHABLE.includes(loss) ? SMOOTHING : 0,
});
const batch = { policy, reference, labels, rewards };

describe('a loss', () => {
  it.each(Object.entries(CLOSED))('%s is its closed form', (name, closed) => {
    const { loss } = metricsOfLoss(namedLoss(settingsOf(name)))([batch]);
    expect(loss).toBeCloseTo(meanOf([0, 1, 2].map(closed)), 12);
  });

  it('aot is the sigmoid loss where all pairs are alike: equal numbers have a place each', () => {
    const alike = (numbers: number[]) => [0, 1, 2].flatMap(() => numbers.slice(0, 2));
    const pairs = { policy: alike(policy), reference: alike(reference), labels: alike(labels) };
    const of = (name: string) => metricsOfLoss(namedLoss(settingsOf(name)))([pairs]).loss;
    expect(of('aot')).toBeCloseTo(of('sigmoid'), 12);
  });

  it('exo_pair without label smoothing has that of 0.001', () => {
    const of = (labelSmoothing: number) =>
      metricsOfLoss(namedLoss({ ...SETTINGS, loss: 'exo_pair', labelSmoothing }))([batch]);
    expect(of(0)).toEqual(of(0.001));
  });

  it.each([sigmoidLoss, robustLoss, exoPairLoss, aotLoss])(
    '$name refuses to take half of the pairs or more to be the wrong way round',
    (make) => {
      expect(make(beta, 0.49).needsReference).toBe(true);
      for (const share of [0.5, 0.6, -0.1, NaN])
        expect(() => make(beta, share)).toThrow(
          /^labelSmoothing of the loss \w+ is [^:]+: a share of pairs from 0 to below 0.5 is expected$/,
        );
    },
  );

  it.each(lossNames)('%s refuses a beta that teaches nothing, or the opposite', (loss) => {
    for (const wrong of [0, -0.1, NaN, Infinity])
      expect(() => namedLoss({ ...settingsOf(loss), beta: wrong })).toThrow(
        `beta is ${wrong}: a number above 0 is expected, as 0.1`,
      );
  });

  it.each([
    ['kto', 'desirableWeight'],
    ['kto', 'undesirableWeight'],
    ['rpo_bwd_kl', 'rewardScale'],
  ])('%s refuses a %s that would teach the opposite', (loss, name) => {
    expect(() => namedLoss({ ...SETTINGS, loss, [name]: -1 })).toThrow(
      `${name} is -1: a number above 0 is expected, as 1`,
    );
  });

  it('sft is the mean over all chosen labels', () => {
    const { loss, nll_loss } = metricsOfLoss(namedLoss(settingsOf('sft')))([batch]);
    expect(loss).toBeCloseTo((10.5 + 31 + 7.125) / (5 + 14 + 4), 12);
    expect(nll_loss).toBe(loss);
  });

  it('kto judges samples by their distance from that of mismatched completions', () => {
    // A desirable sample and two undesirable ones, with the completion of another prompt each.
    const judged = { policy, reference, labels, rewards: [1, 0, 0, 0, 0, 0] };
    const own = [0, 1, 2].map((i) => numbersOf(i).ratios[0]);
    const kl = Math.max(0, meanOf([0, 1, 2].map((i) => numbersOf(i).ratios[1])));
    expect(kl).toBeGreaterThan(0);
    const losses = [
      1.25 * (1 - sigmoid(beta * (own[0] - kl))),
      0.75 * (1 - sigmoid(beta * (kl - own[1]))),
      0.75 * (1 - sigmoid(beta * (kl - own[2]))),
    ];
    const metrics = metricsOfLoss(namedLoss(settingsOf('kto')))([judged]);
    expect(metrics.loss).toBeCloseTo(meanOf(losses), 12);
    expect(metrics.kl).toBeCloseTo(kl, 12);
    expect(metrics['rewards/chosen']).toBeCloseTo(beta * own[0], 12);
    expect(metrics['rewards/rejected']).toBeCloseTo((beta * (own[1] + own[2])) / 2, 12);
    expect(metrics['logps/rejected']).toBeCloseTo((-31 - 7.125) / 2, 12);
    // The estimate is each batch's own.
    const [first, rest] = [
      {
        policy: policy.slice(0, 2),
        reference: reference.slice(0, 2),
        labels: labels.slice(0, 2),
        rewards: [1, 0],
      },
      {
        policy: policy.slice(2),
        reference: reference.slice(2),
        labels: labels.slice(2),
        rewards: [0, 0, 0, 0],
      },
    ];
    const both = metricsOfLoss(namedLoss(settingsOf('kto')))([first, rest]);
    expect(both['rewards/chosen']).toBeCloseTo(metrics['rewards/chosen']!, 12);
    expect(both.loss).not.toBeCloseTo(metrics.loss, 3);
    // Ratios of mismatched completions: -0.25 in the first batch, which counts as 0, then 1.75 and -0.75.
    expect(both.kl).toBeCloseTo((0 + (1.75 - 0.75) / 2) / 2, 12);
    const { loss } = metricsOfLoss(namedLoss(settingsOf('kto')))([first]);
    expect(loss).toBeCloseTo(1.25 * (1 - sigmoid(beta * 0.5)), 12);
    const alone = metricsOfLoss(namedLoss(settingsOf('kto')))([rest]);
    expect(alone).not.toHaveProperty('rewards/chosen');
    expect(alone).not.toHaveProperty('rewards/margins');
  });

  it('mixed with others counts by its weight; its rewards are those of the first that compares', () => {
    const mixed = { ...SETTINGS, loss: 'sft, ipo,bco_pair', lossWeights: '0.5,2,1' };
    const { loss, ...rest } = metricsOfLoss(namedLoss(mixed))([batch]);
    const each = (name: string) => metricsOfLoss(namedLoss(settingsOf(name)))([batch]);
    expect(loss).toBeCloseTo(0.5 * each('sft').loss + 2 * each('ipo').loss + each('bco_pair').loss, 12);
    expect(rest['rewards/margins']).toBe(each('ipo')['rewards/margins']);
    expect(rest.nll_loss).toBeCloseTo(each('sft').loss, 12);
  });

  it('is named with rpoAlpha as with sft beside it', () => {
    const byName = namedLoss({ ...SETTINGS, loss: 'sigmoid,sft', lossWeights: '1,0.1' });
    const byAlpha = namedLoss({ ...SETTINGS, rpoAlpha: 0.1 });
    expect(byAlpha.name).toBe('sigmoid + 0.1 sft');
    expect(metricsOfLoss(byAlpha)([batch])).toEqual(metricsOfLoss(byName)([batch]));
  });

  it('says what it needs', () => {
    const without = lossNames.filter((name) => !namedLoss(settingsOf(name)).needsReference);
    expect(without).toEqual(['simpo', 'sft']);
    expect(sftLoss(1).sftWeight).toBe(1);
  });

  it.each([
    [{ loss: 'sigmoyd' }, /^there is no loss "sigmoyd"; the losses are sigmoid, robust/],
    [{ loss: 'ipo,ipo' }, 'names one twice'],
    [{ loss: 'ipo,sft', lossWeights: '1' }, 'lossWeights has 1 weight for 2 losses'],
    [{ loss: 'ipo', lossWeights: '-1' }, 'numbers above 0 with commas between them are expected'],
    [{ loss: 'ipo', labelSmoothing: 0.1 }, 'labelSmoothing is for the losses sigmoid, robust'],
    [{ loss: 'kto,sft' }, 'kto is a loss of single samples and is mixed with no other'],
    [{ loss: 'kto', rpoAlpha: 1 }, 'rpoAlpha, which is 1, adds sft to it: set rpoAlpha to 0'],
    [{ loss: 'kto', lossWeights: '0.5' }, 'is mixed with no other, nor weighted as a whole'],
  ])('%o is refused in a sentence', (changes, message) => {
    expect(() => namedLoss({ ...SETTINGS, ...changes })).toThrow(message);
  });
});

it('losses that are negative log-likelihoods or divergences are in nats, and a mixture where all of it is', () => {
  const inNats = lossNames.filter((loss) => namedLoss({ ...SETTINGS, loss }).unit === 'nats');
  expect(inNats).toEqual([
    ...['sigmoid', 'robust', 'sigmoid_norm', 'simpo', 'exo_pair', 'nca_pair', 'bco_pair', 'aot'],
    ...['rpo_bwd_kl', 'sft'],
  ]);
  expect(namedLoss({ ...SETTINGS, loss: 'sigmoid,simpo' }).unit).toBe('nats');
  expect(namedLoss({ ...SETTINGS, loss: 'sigmoid,hinge' }).unit).toBeUndefined();
});
