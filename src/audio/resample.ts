import { SAMPLE_RATE_HZ } from '../base/units.js';
import { BridgeError } from '../base/errors.js';

/** Quality 7: distortion below -130 dB and 4 ms of delay, at a fifth of the cost of quality 10 (measured). */
const QUALITY = 7;

/** Maximum samples of input or output in one call of the library. */
const SLICE = 4096;

/** Part of @echogarden/speex-resampler-wasm (speexdsp's resampler in WebAssembly) that is used here. */
export interface SpeexModule {
  /** Views of the heap. They detach when it grows: read them again after every call. */
  readonly HEAPF32: Float32Array;
  readonly HEAPU32: Uint32Array;
  _malloc(bytes: number): number;
  _free(pointer: number): void;
  /** @returns the state's address, 0 when there is not enough memory */
  _speex_resampler_init(
    channels: number,
    inputHz: number,
    outputHz: number,
    quality: number,
    errorPointer: number,
  ): number;
  /**
   * Creates a resampler with the ratio of the rates as a fraction. Its terms must stay below 65,536: a change
   * of the denominator is computed in 32 bits, and the reduced fraction 1/1 loses the position between two
   * samples.
   * @returns the state's address, 0 when there is not enough memory
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
  /** Changes the ratio from the next sample on. @returns 0 on success */
  _speex_resampler_set_rate_frac(
    state: number,
    numerator: number,
    denominator: number,
    inputHz: number,
    outputHz: number,
  ): number;
  _speex_resampler_destroy(state: number): void;
  /** @returns 0 on success; the two lengths then hold the samples consumed and produced */
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

/**
 * The library and the scratch space shared by all resamplers: calls are synchronous, so one set serves any
 * number of streams.
 */
export interface Speex {
  readonly module: SpeexModule;
  /** Addresses in the module's heap. */
  readonly input: number;
  readonly output: number;
  readonly lengths: number;
}

let loading: Promise<Speex> | undefined;

/**
 * Loads the WebAssembly module once per process.
 * @throws BridgeError INTERNAL when it cannot be loaded; the next call tries again
 */
export function loadSpeex(): Promise<Speex> {
  loading ??= load().catch((error: unknown) => {
    loading = undefined;
    throw new BridgeError('INTERNAL', 'The resampler could not be loaded.', { cause: error });
  });
  return loading;
}

async function load(): Promise<Speex> {
  const options = { printErr: () => undefined };
  const module = (await import('@echogarden/speex-resampler-wasm/simd')
    .then((library) => library.default(options))
    // For a processor without WebAssembly's vector instructions.
    .catch(async () => (await import('@echogarden/speex-resampler-wasm')).default(options))) as SpeexModule;
  return {
    module,
    input: module._malloc(SLICE * 4),
    output: module._malloc(SLICE * 4),
    lengths: module._malloc(8),
  };
}

/** Receives a piece of output: `count` floats at the start of `block`, valid only during the call. */
export type Emit = (block: Float32Array, count: number) => void;

/**
 * Resamples one mono stream from any rate to 16 kHz. Its delay is removed: output sample k is the sound at k
 * / 16,000 seconds. The output does not depend on the chunking of the input. Its memory is not
 * garbage-collected: call `free()`.
 */
export class Resampler {
  readonly sampleRateHz: number;
  readonly #speex: Speex;
  #state: number;

  /**
   * @param speex result of `loadSpeex()`
   * @param sampleRateHz the input's rate, a whole number
   * @throws BridgeError INTERNAL when there is not enough memory
   */
  constructor(speex: Speex, sampleRateHz: number) {
    this.sampleRateHz = sampleRateHz;
    this.#speex = speex;
    const { module, lengths } = speex;
    this.#state = module._speex_resampler_init(1, sampleRateHz, SAMPLE_RATE_HZ, QUALITY, lengths);
    if (this.#state === 0)
      throw new BridgeError('INTERNAL', `No resampler could be made for ${sampleRateHz} Hz.`);
    module._speex_resampler_skip_zeros(this.#state);
  }

  /**
   * Resamples `count` samples.
   * @param fill writes samples `from` to `from + length` of the input into `target`, called once per slice
   * @param emit receives each piece of output
   */
  process(
    count: number,
    fill: (from: number, length: number, target: Float32Array) => void,
    emit: Emit,
  ): void {
    const { module, input } = this.#speex;
    for (let from = 0; from < count; from += SLICE) {
      const length = Math.min(SLICE, count - from);
      // The heap's views are read again at each use, because they detach when the heap grows.
      fill(from, length, module.HEAPF32.subarray(input >> 2, (input >> 2) + length));
      this.#run(length, emit);
    }
  }

  /** Flushes the filter with silence. The output is longer than needed, so the caller must cut it. */
  drain(emit: Emit): void {
    const latency = this.#speex.module._speex_resampler_get_input_latency(this.#state);
    // A few more than the latency, for the sample that lies between two.
    const extra = Math.ceil(this.sampleRateHz / SAMPLE_RATE_HZ) + 1;
    this.process(latency + extra, (_from, length, target) => target.fill(0, 0, length), emit);
  }

  /** Frees its memory; safe to call again. */
  free(): void {
    if (this.#state !== 0) this.#speex.module._speex_resampler_destroy(this.#state);
    this.#state = 0;
  }

  /** Resamples the scratch space. Low rates give more output than input, in several pieces. */
  #run(length: number, emit: Emit): void {
    const { module, input, output, lengths } = this.#speex;
    let taken = 0;
    do {
      module.HEAPU32[lengths >> 2] = length - taken;
      module.HEAPU32[(lengths >> 2) + 1] = SLICE;
      const failed = module._speex_resampler_process_float(
        this.#state,
        0,
        input + taken * 4,
        lengths,
        output,
        lengths + 4,
      );
      const used = module.HEAPU32[lengths >> 2]!;
      const made = module.HEAPU32[(lengths >> 2) + 1]!;
      if (failed !== 0 || (used === 0 && made === 0))
        throw new BridgeError('INTERNAL', `The resampler failed with code ${failed}.`);
      if (made > 0) emit(module.HEAPF32.subarray(output >> 2, (output >> 2) + made), made);
      taken += used;
    } while (taken < length);
  }
}
