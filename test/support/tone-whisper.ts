/**
 * A model in the form of Whisper (transformers.js' files and graphs, about 10 KB) that understands two words: it says "a low tone" or
 * "a high tone", whichever of the lower and the upper half of the mel bands is louder.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { writeOnnx } from '../../lib/engine/onnx.js';
import { DYNAMIC, type Constant, type Graph, type GraphNode, type Value } from '../../lib/engine/graph.js';
import { temporaryFolder } from './temporary-folder.js';

const MELS = 80;
const FRAMES = 3000;
const WORDS = ['Ġa', 'Ġlow', 'Ġhigh', 'Ġtone', '<|endoftext|>', '<|startoftranscript|>', '<|notimestamps|>'];
const [A, LOW, HIGH, TONE, END, START, NO_TIMESTAMPS] = WORDS.keys();
/** What follows a word whatever is heard; after "a", what is heard decides. */
const NEXT = [
  [START, NO_TIMESTAMPS],
  [NO_TIMESTAMPS, A],
  [A, LOW],
  [A, HIGH],
  [LOW, TONE],
  [HIGH, TONE],
  [TONE, END],
];

/** Its files: path in the folder to content. */
export function toneWhisperFiles(): Map<string, Uint8Array> {
  const json = {
    'config.json': {
      model_type: 'whisper',
      is_encoder_decoder: true,
      vocab_size: WORDS.length,
      num_mel_bins: MELS,
      max_source_positions: FRAMES / 2,
      max_target_positions: 448,
      decoder_layers: 1,
      decoder_attention_heads: 1,
      d_model: MELS,
      encoder_layers: 1,
      encoder_attention_heads: 1,
    },
    'generation_config.json': {
      decoder_start_token_id: START,
      eos_token_id: END,
      pad_token_id: END,
      no_timestamps_token_id: NO_TIMESTAMPS,
      is_multilingual: false,
      max_length: 20,
    },
    'preprocessor_config.json': {
      feature_extractor_type: 'WhisperFeatureExtractor',
      processor_class: 'WhisperProcessor',
      chunk_length: 30,
      feature_size: MELS,
      hop_length: 160,
      n_fft: 400,
      n_samples: 480_000,
      nb_max_frames: FRAMES,
      sampling_rate: 16_000,
    },
    'tokenizer.json': {
      version: '1.0',
      added_tokens: [END, START, NO_TIMESTAMPS].map((id) => ({ id, content: WORDS[id], special: true })),
      normalizer: null,
      pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false },
      post_processor: null,
      decoder: { type: 'ByteLevel' },
      model: { type: 'BPE', vocab: Object.fromEntries(WORDS.map((word, id) => [word, id])), merges: [] },
    },
    'tokenizer_config.json': { tokenizer_class: 'WhisperTokenizer', eos_token: WORDS[END] },
  };
  const files = Object.entries(json).map(
    ([path, content]) => [path, Buffer.from(JSON.stringify(content))] as const,
  );
  return new Map<string, Uint8Array>([
    ...files,
    ['onnx/encoder_model.onnx', writeOnnx(encoder())],
    ['onnx/decoder_model_merged.onnx', writeOnnx(decoder())],
  ]);
}

/** Writes the model into a new folder, which disappears with the test. */
export function writeToneWhisper(): string {
  const folder = temporaryFolder();
  for (const [path, content] of toneWhisperFiles()) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  }
  return folder;
}

/** The mean of each mel band over time. */
function encoder(): Graph {
  return graph(
    [value('input_features', [1, MELS, FRAMES])],
    value('last_hidden_state', [1, 1, MELS]),
    [
      node('ReduceMean', ['input_features'], 'bands', { axes: [2], keepdims: 0 }),
      node('Unsqueeze', ['bands', 'axis'], 'last_hidden_state'),
    ],
    [{ ...value('axis', [1], 'int64'), data: BigInt64Array.of(1n) }],
  );
}

/** The next word's logits: `follows` of the last word, and bands times `hears`. */
function decoder(): Graph {
  const follows = new Float32Array(WORDS.length ** 2);
  for (const [word, next] of NEXT) follows[word * WORDS.length + next] = 1000;
  const hears = new Float32Array(MELS * WORDS.length);
  for (let band = 0; band < MELS; band++) hears[band * WORDS.length + (band < MELS / 2 ? LOW : HIGH)] = 1;
  return graph(
    [
      value('input_ids', [DYNAMIC, DYNAMIC], 'int64'),
      value('encoder_hidden_states', [DYNAMIC, DYNAMIC, MELS]),
    ],
    value('logits', [DYNAMIC, DYNAMIC, WORDS.length]),
    [
      node('Gather', ['follows', 'input_ids'], 'expected'),
      node('MatMul', ['encoder_hidden_states', 'hears'], 'heard'),
      node('Add', ['expected', 'heard'], 'logits'),
    ],
    [
      { ...value('follows', [WORDS.length, WORDS.length]), data: follows },
      { ...value('hears', [MELS, WORDS.length]), data: hears },
    ],
  );
}

function value(name: string, shape: number[], dtype: Value['dtype'] = 'float32'): Value {
  return { name, shape, dtype };
}

function node(
  op: string,
  inputs: string[],
  output: string,
  attributes: GraphNode['attributes'] = {},
): GraphNode {
  return { op, domain: '', inputs, outputs: [output], attributes };
}

function graph(inputs: Value[], output: Value, nodes: GraphNode[], constants: Constant[]): Graph {
  return {
    inputs,
    outputs: [output],
    nodes,
    constants: new Map(constants.map((constant) => [constant.name, constant])),
    values: new Map(),
  };
}
