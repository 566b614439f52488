import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { compile, tf } from '../../lib/engine/index.js';
import { hashTranscriber, openTranscriber, shareTranscriber } from '../../lib/scoring/transcribe.js';
import { sendFile, startServer } from '../support/file-server.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { toneWhisperFiles, writeToneWhisper } from '../support/tone-whisper.js';
import { device } from '../support/device.js';

const tone = (hz: number, seconds: number, rateHz: number): Float32Array =>
  Float32Array.from({ length: seconds * rateHz }, (_, i) => 0.3 * Math.sin((2 * Math.PI * hz * i) / rateHz));

/** A hub that has the model tones/whisper; downloads are allowed and go to an empty cache. */
async function startHub() {
  const files = toneWhisperFiles();
  const server = await startServer((request, response) => {
    const content = files.get(request.url!.replace('/tones/whisper/resolve/main/', ''));
    if (content) sendFile(request, response, content);
    else response.writeHead(404).end();
  });
  vi.stubEnv('HF_ENDPOINT', server.url);
  vi.stubEnv('HF_HUB_OFFLINE', '');
  vi.stubEnv('HF_HOME', temporaryFolder());
  vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  return server;
}

afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

describe('openTranscriber', () => {
  it('transcribes at any sample rate and length, from a local folder', async () => {
    const { transcribe, dispose } = await openTranscriber({ model: writeToneWhisper() });
    expect(await transcribe(tone(200, 1, 16000), 16000)).toBe('a low tone');
    expect(await transcribe(tone(5000, 1, 16000), 16000)).toBe('a high tone');
    expect(await transcribe(tone(2000, 0.5, 48000), 48000)).toBe('a high tone');
    expect(await transcribe(tone(200, 35, 16000), 16000)).toContain('a low tone');
    await dispose();
  });

  it('says nothing for silence, and names what cannot be heard', async () => {
    const { transcribe, dispose } = await openTranscriber({ model: writeToneWhisper() });
    expect(await transcribe(new Float32Array(16000), 16000)).toBe('');
    await expect(transcribe(new Float32Array(0), 16000)).rejects.toThrow('no samples');
    await expect(transcribe(Float32Array.of(0, NaN), 16000)).rejects.toThrow('not a finite number');
    await dispose();
  });

  it('is shared: opened once, and a recording heard once, also by who asks later', async () => {
    const folder = writeToneWhisper();
    const shared = shareTranscriber({ model: folder });
    const first = await shared.open();
    await rm(folder, { recursive: true });
    const second = await shared.open();
    const [low, high] = [tone(200, 1, 16000), tone(5000, 1, 16000)];
    const heard = first(low, 16000);
    expect(second(low, 16000)).toBe(heard);
    expect([await heard, await second(high, 16000)]).toEqual(['a low tone', 'a high tone']);
    await shared.dispose();
  });

  it('says each time why it cannot be opened, where it is shared', async () => {
    const shared = shareTranscriber({ model: temporaryFolder() });
    for (let asked = 0; asked < 2; asked++) await expect(shared.open()).rejects.toThrow('config.json');
    await shared.dispose();
  });

  it('shares the process with the engine', async () => {
    const double = await compile(
      ({ x }) => ({ y: tf.mul(x, 2) }),
      { x: { shape: [2], dtype: 'float32' } },
      { device },
    );
    const { transcribe, dispose } = await openTranscriber({ model: writeToneWhisper() });
    const [text, { y }] = await Promise.all([
      transcribe(tone(200, 1, 16000), 16000),
      double({ x: Float32Array.of(1, 2) }),
    ]);
    expect([text, [...y]]).toEqual(['a low tone', [2, 4]]);
    await dispose();
  });

  it('downloads a model of the hub once, and works without the hub then', async () => {
    const { requests } = await startHub();
    const first = await openTranscriber({ model: 'tones/whisper' });
    await first.dispose();
    const paths = requests.map(({ url }) => url);
    expect(paths).toContain('/tones/whisper/resolve/main/onnx/decoder_model_merged.onnx');
    vi.stubEnv('HF_HUB_OFFLINE', '1');
    const { transcribe, dispose } = await openTranscriber({ model: 'tones/whisper' });
    expect(await transcribe(tone(5000, 1, 16000), 16000)).toBe('a high tone');
    expect(requests.length).toBe(paths.length);
    await dispose();
  });

  it('takes the model that WHISPER_MODEL names', async () => {
    vi.stubEnv('WHISPER_MODEL', writeToneWhisper());
    const { transcribe, dispose } = await openTranscriber();
    expect(await transcribe(tone(200, 1, 16000), 16000)).toBe('a low tone');
    await dispose();
  });

  it('is known by its files', async () => {
    const folder = writeToneWhisper();
    const hash = await hashTranscriber(folder);
    expect(await hashTranscriber(writeToneWhisper())).toBe(hash);
    await writeFile(join(folder, 'onnx/encoder_model.onnx'), 'other');
    expect(await hashTranscriber(folder)).not.toBe(hash);
  });

  it('says that the hub has no model of the name', async () => {
    const { url } = await startHub();
    await expect(openTranscriber({ model: 'tones/whisperer' })).rejects.toThrow(
      `The Whisper model tones/whisperer cannot be downloaded from ${url}: the server answers 404`,
    );
  });

  it('says that the hub cannot be reached', async () => {
    await startHub();
    vi.stubEnv('HF_ENDPOINT', 'http://127.0.0.1:9');
    await expect(openTranscriber({ model: 'tones/unreachable' })).rejects.toThrow(
      'The Whisper model tones/unreachable cannot be downloaded: http://127.0.0.1:9 cannot be reached',
    );
  });

  it('says that downloads are forbidden', async () => {
    await startHub();
    vi.stubEnv('HF_HUB_OFFLINE', '1');
    await expect(openTranscriber({ model: 'tones/offline' })).rejects.toThrow(
      /^The Whisper model tones\/offline is not in .*, and HF_HUB_OFFLINE forbids downloads/,
    );
  });

  it('names what a folder lacks', async () => {
    const folder = writeToneWhisper();
    await rm(join(folder, 'onnx'), { recursive: true });
    await expect(openTranscriber({ model: folder })).rejects.toThrow(
      `${folder} is no Whisper model with ONNX weights: onnx/encoder_model.onnx, onnx/decoder_model_merged.onnx are missing`,
    );
  });

  it('refuses a broken file and a model of another type', async () => {
    const broken = writeToneWhisper();
    await writeFile(join(broken, 'onnx/encoder_model.onnx'), 'no graph');
    await expect(openTranscriber({ model: broken })).rejects.toThrow(
      `${broken}: the Whisper model cannot be read`,
    );
    const other = writeToneWhisper();
    await writeFile(join(other, 'config.json'), JSON.stringify({ model_type: 'bart' }));
    await expect(openTranscriber({ model: other })).rejects.toThrow(other);
  });

  it('names the command that installs the optional package', async () => {
    vi.resetModules();
    vi.doMock('@huggingface/transformers', () => {
      throw new Error('not installed');
    });
    const { openTranscriber: open } = await import('../../lib/scoring/transcribe.js');
    await expect(open()).rejects.toThrow('npm install @huggingface/transformers@4.3.1');
    vi.doUnmock('@huggingface/transformers');
  });
});
