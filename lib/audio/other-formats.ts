/** What files are that are taken for WAV files, by their first bytes (as one character each). */
const OTHERS: readonly [name: string, start: RegExp][] = [
  ['FLAC', /^fLaC/],
  ['Ogg', /^OggS/],
  ['AIFF', /^FORM....AIF[FC]/s],
  ['Wave64 (W64)', /^riff\x2e\x91\xcf\x11/],
  ['AAC', /^\xff[\xf0\xf1\xf8\xf9]/],
  ['MP3', /^(ID3|\xff[\xe2-\xff])/],
  ['MP4 (M4A)', /^....ftyp/s],
  ['Matroska (WebM)', /^\x1aE\xdf\xa3/],
  ['Windows Media (WMA)', /^0&\xb2u\x8ef\xcf\x11/],
  ['CAF', /^caff/],
  ['AU', /^\.snd/],
  ['WavPack', /^wvpk/],
  ['NIST SPHERE', /^NIST_1A/],
];

/** The command that makes a WAV file that can be read of `name`, at that sample rate where one is given. */
export function convertCommand(name: string, sampleRateHz?: number): string {
  const rate = sampleRateHz === undefined ? '' : `-ar ${sampleRateHz} `;
  return `ffmpeg -i "${name}" ${rate}-c:a pcm_s16le out.wav`;
}

/**
 * Why bytes are no WAV file, and what would help.
 *
 * @param parts what may say it: what follows a tag at the file's start, and the whole file
 * @param name stands for the file in the command that converts it
 */
export function explainOtherFormat(parts: readonly Uint8Array[], name: string): string {
  const format = parts.map(formatOf).find((found) => found !== undefined);
  if (format === undefined) return 'not a WAV file (it does not start with RIFF....WAVE)';
  return `not a WAV file but ${format}; convert it with: ${convertCommand(name)}`;
}

function formatOf(bytes: Uint8Array): string | undefined {
  const start = Buffer.from(bytes.subarray(0, 16)).toString('latin1');
  return OTHERS.find(([, pattern]) => pattern.test(start))?.[0];
}
