export { lengthDistribution, rewardDistribution } from './charts/distribution.js';
export { guardCurves } from './charts/guard-curves.js';
export { rewardCurves } from './charts/reward-curves.js';
export { WHY_BOTH_MAY_FALL, logProbabilityCurves, trainingCurves } from './charts/training-curves.js';
export { waveforms } from './charts/waveforms.js';
