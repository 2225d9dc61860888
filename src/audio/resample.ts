import { SAMPLE_RATE_HZ } from '../base/units.js';
import { BridgeError } from '../base/errors.js';

/** Distortion below -130 dB and 4 ms of delay at a fifth of the cost of quality 10 (measured). */
const QUALITY = 7;

/** Samples that go in, or come out, in one call of the library. */
const SLICE = 4096;

/** The part of @echogarden/speex-resampler-wasm (speexdsp's resampler in WebAssembly) that is used here. */
export interface SpeexModule {
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

/**
 * The library with the scratch space that all resamplers share: calls are synchronous, so one set is enough for any
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
 * Loads the WebAssembly module, once for the whole process.
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
    // A processor without WebAssembly's vector instructions.
    .catch(async () => (await import('@echogarden/speex-resampler-wasm')).default(options))) as SpeexModule;
  return {
    module,
    input: module._malloc(SLICE * 4),
    output: module._malloc(SLICE * 4),
    lengths: module._malloc(8),
  };
}

/** Takes a piece of output: `count` floats at the start of `block`, valid only during the call. */
export type Emit = (block: Float32Array, count: number) => void;

/**
 * One mono stream from any rate to 16 kHz. Its delay is taken out: output sample k is the sound at k / 16,000 seconds.
 * How the input is cut into calls makes no difference to the output. Its memory is not the garbage collector's:
 * `free()` must be called.
 */
export class Resampler {
  readonly sampleRateHz: number;
  readonly #speex: Speex;
  #state: number;

  /**
   * @param speex of `loadSpeex()`
   * @param sampleRateHz the input's rate, a whole number
   * @throws BridgeError INTERNAL when there is no memory left for it
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
   * Feeds `count` samples.
   * @param fill writes samples `from` to `from + length` of the input into `target`, called once a slice
   * @param emit is handed each piece of output
   */
  process(
    count: number,
    fill: (from: number, length: number, target: Float32Array) => void,
    emit: Emit,
  ): void {
    const { module, input } = this.#speex;
    for (let from = 0; from < count; from += SLICE) {
      const length = Math.min(SLICE, count - from);
      // The heap's views are read anew at each use: they detach when it grows.
      fill(from, length, module.HEAPF32.subarray(input >> 2, (input >> 2) + length));
      this.#run(length, emit);
    }
  }

  /** Pushes out what the filter still holds, with silence after it; more than is due, so the caller cuts. */
  drain(emit: Emit): void {
    const latency = this.#speex.module._speex_resampler_get_input_latency(this.#state);
    // A few more than the latency, for the sample that is between two.
    const extra = Math.ceil(this.sampleRateHz / SAMPLE_RATE_HZ) + 1;
    this.process(latency + extra, (_from, length, target) => target.fill(0, 0, length), emit);
  }

  /** Gives its memory back; safe to call again. */
  free(): void {
    if (this.#state !== 0) this.#speex.module._speex_resampler_destroy(this.#state);
    this.#state = 0;
  }

  /** Resamples what stands in the scratch space. Low rates come out longer than they went in, in several pieces. */
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
