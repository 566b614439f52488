/** What ONNX Runtime would change in a program to its harm. */

/** Of a session's configuration. */
export const SWITCHED_OFF = {
  'optimization.disable_specified_optimizers': [
    // On the CPU the fused kernel takes five times as long as the Add and the LayerNormalization it replaces. It also fuses only where a program
    // has no gradients, so that on a GPU the reference's numbers would not be the policy's before its first step.
    'SkipLayerNormFusion',
    // What a program computes a second time, so that it is not kept in between (`rematerialize`), would be computed once and kept.
    'CommonSubexpressionElimination',
  ].join(';'),
};
