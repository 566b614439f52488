/** Codes of a recording: `codes[codebook][frame]`, each 0 <= code < codebookSize. */
export type Codes = number[][];

/** A neural audio codec: turns a waveform into discrete codes and back. */
export interface Codec {
  readonly sampleRateHz: number;
  readonly frameRateHz: number;
  readonly codebooks: number;
  readonly codebookSize: number;
  /**
   * Mono samples in [-1, 1] at `sampleRateHz` to codes.
   * @throws Error when one is not a finite number
   */
  encode(samples: Float32Array): Promise<Codes>;
  /** Codes to mono samples at `sampleRateHz`, `frames * sampleRateHz / frameRateHz` of them. */
  decode(codes: Codes): Promise<Float32Array>;
  /** Frees what is compiled. The device stays open. */
  dispose(): Promise<void>;
}
