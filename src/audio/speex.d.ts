/** The part of @echogarden/speex-resampler-wasm (speexdsp's resampler in WebAssembly) that `resample.ts` uses. */
interface SpeexModule {
  /** Views of the one heap. They detach when it grows: read them anew after every call. */
  readonly HEAPF32: Float32Array;
  readonly HEAPU32: Uint32Array;
  _malloc(bytes: number): number;
  _free(pointer: number): void;
  /** @returns the state's address, 0 when there is no memory */
  _speex_resampler_init(
    channels: number,
    inputHz: number,
    outputHz: number,
    quality: number,
    errorPointer: number,
  ): number;
  /**
   * The ratio of the rates as a fraction. Its terms must stay below 65,536: a change of the denominator is computed in
   * 32 bits, and the reduced fraction 1/1 loses the position between two samples.
   * @returns the state's address, 0 when there is no memory
   */
  _speex_resampler_init_frac(
    channels: number,
    numerator: number,
    denominator: number,
    inputHz: number,
    outputHz: number,
    quality: number,
    errorPointer: number,
  ): number;
  /** Changes the ratio from the next sample on. @returns 0 when all went well */
  _speex_resampler_set_rate_frac(
    state: number,
    numerator: number,
    denominator: number,
    inputHz: number,
    outputHz: number,
  ): number;
  _speex_resampler_destroy(state: number): void;
  /** @returns 0 when all went well; the two lengths come back as what was taken in and put out */
  _speex_resampler_process_float(
    state: number,
    channel: number,
    input: number,
    inputLengthPointer: number,
    output: number,
    outputLengthPointer: number,
  ): number;
  _speex_resampler_skip_zeros(state: number): number;
  /** Delay of the filter in samples at the input's rate. */
  _speex_resampler_get_input_latency(state: number): number;
}

declare module '@echogarden/speex-resampler-wasm' {
  export default function load(options?: { printErr?: (line: string) => void }): Promise<SpeexModule>;
}

declare module '@echogarden/speex-resampler-wasm/simd' {
  export default function load(options?: { printErr?: (line: string) => void }): Promise<SpeexModule>;
}
