/** What programs are made of, against what ONNX Runtime's CUDA provider has kernels for: without one, a node and copies to it go to the CPU. */
import { fileURLToPath } from 'node:url';
import { expect, it, vi } from 'vitest';
import { openEncodec } from '../../../lib/codec/encodec/codec.js';
import { openCodec } from '../../../lib/codec/open.js';
import { elementCount, type DType, type Graph } from '../../../lib/engine/graph.js';
import type * as Onnx from '../../../lib/engine/onnx.js';
import { rowsModel, windowsModel } from '../../../lib/scoring/dnsmos/p835-network.js';
import { nisqaModel } from '../../../lib/scoring/nisqa/network.js';
import { NISQA, NISQA_TTS } from '../../../lib/scoring/nisqa/published.js';
import type { Weights } from '../../../lib/scoring/onnx-builder.js';
import { voiceEncoderModel } from '../../../lib/scoring/voice-network.js';
import { canRunHostCuda, openHostCuda } from '../../support/host-cuda.js';
import { sample, train } from './like-the-cpu.js';

const ENCODEC = fileURLToPath(new URL('../../fixtures/encodec/reflect', import.meta.url));

/**
 * The types of its first value (Where's second) that an operator has kernels for at opset 17, of those that programs have:
 * docs/OperatorKernels.md of ONNX Runtime 1.30.
 */
const KERNELS = new Map<string, readonly DType[]>(
  Object.entries({
    'float32 int32 int64 bool':
      'Cast Concat Expand Flatten Gather GatherElements Reshape ScatterElements Shape Slice Split Squeeze Transpose Unsqueeze',
    'float32 int32 int64': 'Abs Add Div Equal Max Min Mul Neg ReduceMax ReduceMin ReduceSum Sub Where',
    float32:
      'ArgMax ArgMin Clip Conv ConvTranspose Elu Erf Exp FusedMatMul Gelu Gemm LSTM LayerNormalization Log LogSoftmax MatMul MaxPool Pad ReduceMean Relu Softmax Softplus Sqrt Sum Tanh',
    bool: 'Not',
  }).flatMap(([types, operators]) =>
    operators.split(' ').map((operator) => [operator, types.split(' ') as DType[]] as const),
  ),
);

const written = vi.hoisted((): Graph[] => []);
vi.mock('../../../lib/engine/onnx.js', async (original) => {
  const onnx = await original<typeof Onnx>();
  const writeOnnx: typeof Onnx.writeOnnx = (graph, apart) => {
    written.push(graph);
    return onnx.writeOnnx(graph, apart);
  };
  return { ...onnx, writeOnnx };
});

/** "Pad of int32", for a node that has no kernel. A network that was put together, not traced, does not say the types of what is in it. */
function withoutKernel({ nodes, values, constants }: Graph): string[] {
  return nodes.flatMap(({ op, inputs }) => {
    const first = inputs[op === 'Where' ? 1 : 0];
    const type = (values.get(first) ?? constants.get(first))?.dtype;
    const types = KERNELS.get(op);
    return types && (!type || types.includes(type)) ? [] : [`${op} of ${type}`];
  });
}

it.skipIf(!canRunHostCuda)('training, sampling and codecs are made of operators with kernels', async () => {
  const device = await openHostCuda();
  await train(device, { epochs: 1 });
  await sample(device, 10);
  const encodec = await openEncodec(ENCODEC, device, { bandwidthKbps: 0.8 });
  for (const codec of [await openCodec('default', device), encodec]) {
    const second = Float32Array.from({ length: codec.sampleRateHz }, (_, i) => Math.sin(i));
    await codec.decode(await codec.encode(second));
    await codec.dispose();
  }
  await device.close();
  expect(written.length).toBeGreaterThan(6);
  expect(written.flatMap(withoutKernel)).toEqual([]);
});

it('so are the networks that score', () => {
  written.length = 0;
  const zeros: Weights = (_, shape) => new Float32Array(elementCount(shape));
  nisqaModel(zeros, NISQA.shape);
  nisqaModel(zeros, NISQA_TTS.shape);
  rowsModel(zeros);
  windowsModel(zeros);
  voiceEncoderModel(zeros);
  expect(written).toHaveLength(5);
  expect(written.flatMap(withoutKernel)).toEqual([]);
});

it('a node of a type without kernels is named', () => {
  const graph = (op: string, dtype: DType): Graph => ({
    inputs: [],
    outputs: [],
    nodes: [{ op, domain: '', inputs: ['x'], outputs: ['y'], attributes: {} }],
    constants: new Map(),
    values: new Map([['x', { name: 'x', shape: [1], dtype }]]),
  });
  expect(withoutKernel(graph('Pad', 'float32'))).toEqual([]);
  expect(withoutKernel(graph('Pad', 'int32'))).toEqual(['Pad of int32']);
  expect(withoutKernel(graph('DynamicQuantizeLinear', 'float32'))).toEqual([
    'DynamicQuantizeLinear of float32',
  ]);
});
