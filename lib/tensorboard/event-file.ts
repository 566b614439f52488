/**
 * TensorBoard's event files: TFRecords (length, its checksum, content, its checksum), each a protobuf message `Event`
 * (github.com/tensorflow/tensorboard, tensorboard/compat/proto: event.proto, summary.proto, tensor.proto; only the fields used here).
 */
import protobuf from 'protobufjs';
import { maskedCrc32c } from './crc32c.js';

const SCHEMA = `
syntax = "proto3";
message Audio {
  float sample_rate = 1; int64 num_channels = 2; int64 length_frames = 3; bytes encoded_audio_string = 4; string content_type = 5;
}
message Shape { }
message Tensor { int32 dtype = 1; Shape tensor_shape = 2; repeated bytes string_val = 8; }
message PluginData { string plugin_name = 1; bytes content = 2; }
message Metadata { PluginData plugin_data = 1; int32 data_class = 4; }
message Value { string tag = 1; optional float simple_value = 2; Audio audio = 6; Tensor tensor = 8; Metadata metadata = 9; }
message Summary { repeated Value value = 1; }
message SessionLog { int32 status = 1; }
message Event { double wall_time = 1; int64 step = 2; string file_version = 3; Summary summary = 5; SessionLog session_log = 7; }
`;

const Event = protobuf.parse(SCHEMA, { keepCase: true }).root.lookupType('Event');

const DT_STRING = 7;
const DATA_CLASS = { tensor: 2, blobSequence: 3 };
const SESSION_START = 1;
/** The audio plugin's own message (tensorboard/plugins/audio/plugin_data.proto): encoding (field 2) is WAV (11), which browsers are told. */
const WAV_ENCODING = Uint8Array.of((2 << 3) | 0, 11);

/** Sound as a WAV file. */
export interface WavClip {
  wav: Uint8Array;
  sampleRateHz: number;
  channels: number;
  /** Samples of each channel. */
  frames: number;
}

/** What is shown at one step: a number (kept as float32), a sound, or a text in Markdown. */
export type Point = { tag: string; step: number } & (
  { scalar: number } | { audio: WavClip } | { text: string }
);

/**
 * How a file begins: its version, and a session's start at step 0, at which a TensorBoard that is running forgets what an earlier file said.
 *
 * @param wallSeconds seconds since 1970
 */
export function fileHead(wallSeconds: number): Uint8Array {
  return Buffer.concat([
    record({ wall_time: wallSeconds, file_version: 'brain.Event:2' }),
    record({ wall_time: wallSeconds, step: 0, session_log: { status: SESSION_START } }),
  ]);
}

/** The records of points, one each. */
export function pointRecords(points: readonly Point[], wallSeconds: number): Uint8Array {
  return Buffer.concat(
    points.map(({ tag, step, ...what }) =>
      record({ wall_time: wallSeconds, step, summary: { value: [{ tag, ...valueOf(what) }] } }),
    ),
  );
}

function valueOf(what: { scalar: number } | { audio: WavClip } | { text: string }) {
  if ('scalar' in what) return { simple_value: what.scalar };
  if ('audio' in what) {
    const { wav, sampleRateHz, channels, frames } = what.audio;
    return {
      audio: {
        sample_rate: sampleRateHz,
        num_channels: channels,
        length_frames: frames,
        encoded_audio_string: wav,
        content_type: 'audio/wav',
      },
      metadata: {
        plugin_data: { plugin_name: 'audio', content: WAV_ENCODING },
        data_class: DATA_CLASS.blobSequence,
      },
    };
  }
  return {
    // A shape without dimensions: a text of its own, not a table's cell.
    tensor: { dtype: DT_STRING, tensor_shape: {}, string_val: [Buffer.from(what.text)] },
    metadata: { plugin_data: { plugin_name: 'text' }, data_class: DATA_CLASS.tensor },
  };
}

function record(event: Record<string, unknown>): Uint8Array {
  const content = Event.encode(event).finish();
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(content.byteLength));
  return Buffer.concat([length, checksum(length), content, checksum(content)]);
}

function checksum(bytes: Uint8Array): Uint8Array {
  const crc = Buffer.alloc(4);
  crc.writeUInt32LE(maskedCrc32c(bytes));
  return crc;
}
