import { createRequire } from 'node:module';
import { BridgeError } from '../../base/errors.js';
import { SAMPLE_RATE_HZ } from '../../base/units.js';
import { OPUS_RATE_HZ, opusPacketSamples, type OpusHead } from './opus-packet.js';

/** Samples at 48 kHz per sample at 16 kHz. */
export const OPUS_SAMPLES_PER_SAMPLE = OPUS_RATE_HZ / SAMPLE_RATE_HZ;

/** OPUS_SET_GAIN of libopus. */
const SET_GAIN = 4034;

/** Maximum samples of each channel in a packet: 120 ms. */
const MAX_SAMPLES = 0.12 * SAMPLE_RATE_HZ;

/**
 * Decoder of one stream, at 16 kHz: libopus decodes to that rate directly, without loss of quality. It could
 * also mix two channels to one, but damages frames of 2.5 ms then.
 */
interface PacketDecoder {
  decode(packet: Uint8Array): Int16Array;
  setGain(gainQ8: number): void;
  free(): void;
}

/** Native libopus, if its package is installed. */
interface NativeOpus {
  readonly OpusEncoder: new (
    rateHz: number,
    channels: number,
  ) => { decode(packet: Buffer): Buffer; applyDecoderCTL(request: number, value: number): void };
}

/** WASM module of opusscript 0.0.8. All sizes and addresses count bytes. */
interface ScriptModule {
  readonly HEAPU8: Uint8Array;
  readonly OpusScriptHandler: (new (
    rateHz: number,
    channels: number,
    application: number,
  ) => ScriptHandler) & {
    destroy_handler(handler: ScriptHandler): void;
  };
  _malloc(bytes: number): number;
}

/** One instance for all decoders with shared buffers: a packet is decoded in one synchronous call. */
interface Script {
  readonly script: ScriptModule;
  readonly input: number;
  readonly output: number;
}

interface ScriptHandler {
  /** Writes each byte of the samples as 16 bits. @returns samples of each channel, or an error below 0 */
  _decode(packet: number, bytes: number, out: number): number;
  _decoder_ctl(request: number, value: number): number;
}

/** Opus implementation found on this machine. */
export interface OpusLibrary {
  /** Name of the package, for `doctor`. */
  readonly name: string;
  readonly createDecoder: (channels: number) => PacketDecoder;
}

const require = createRequire(import.meta.url);
let library: OpusLibrary | undefined;

/**
 * Loads the native Opus if it is installed (`npm install @discordjs/opus`), opusscript otherwise.
 * @param load loads a package by name
 * @throws BridgeError INTERNAL when neither can be loaded
 */
export function loadOpus(load: (name: string) => unknown = require): OpusLibrary {
  try {
    const native = load('@discordjs/opus') as NativeOpus;
    return {
      name: '@discordjs/opus',
      createDecoder: (channels) => {
        const decoder = new native.OpusEncoder(SAMPLE_RATE_HZ, channels);
        return {
          decode: (packet) => {
            const bytes = decoder.decode(Buffer.from(packet.buffer, packet.byteOffset, packet.length));
            const out = new Int16Array(bytes.length / 2);
            new Uint8Array(out.buffer).set(bytes);
            return out;
          },
          setGain: (gainQ8) => decoder.applyDecoderCTL(SET_GAIN, gainQ8),
          free: () => undefined,
        };
      },
    };
  } catch {
    // Not installed, or built for another Node: only speed is lost.
  }
  try {
    const create = load('opusscript/build/opusscript_native_wasm.js') as () => ScriptModule;
    const script = create();
    const [input, output] = [script._malloc(MAX_PACKET_BYTES), script._malloc(MAX_SAMPLES * 2 * 4)];
    const all = { script, input, output };
    return { name: 'opusscript', createDecoder: (channels) => scriptDecoder(all, channels) };
  } catch (cause) {
    throw new BridgeError('INTERNAL', 'The Opus decoder (opusscript) cannot be loaded.', { cause });
  }
}

/** Largest packet: 48 frames of 1,275 bytes, and their lengths (RFC 6716 §3.4). */
const MAX_PACKET_BYTES = 48 * 1277 + 2;

/**
 * OPUS_APPLICATION_AUDIO, for the encoder that opusscript creates with every decoder and that is not used.
 */
const APPLICATION_AUDIO = 2049;

/**
 * Decodes with opusscript's WASM directly, because its JavaScript has faults: it writes output to twice the
 * allocated address, which is unallocated memory and from the thirtieth decoder on beyond the end of memory,
 * so that nothing is returned; and its buffers are too small for packets above 60 ms.
 */
function scriptDecoder({ script, input, output }: Script, channels: number): PacketDecoder {
  const handler = new script.OpusScriptHandler(SAMPLE_RATE_HZ, channels, APPLICATION_AUDIO);
  return {
    decode: (packet) => {
      // The views are read again each time, because the memory moves when it grows.
      script.HEAPU8.set(packet, input);
      const samples = handler._decode(input, packet.length, output);
      if (samples < 0) throw new RangeError(`libopus error ${samples}`);
      const out = new Int16Array(samples * channels);
      const heap = script.HEAPU8;
      for (let i = 0, at = output; i < out.length; i++, at += 4) out[i] = heap[at]! | (heap[at + 2]! << 8);
      return out;
    },
    setGain: (gainQ8) => void handler._decoder_ctl(SET_GAIN, gainQ8),
    free: () => script.OpusScriptHandler.destroy_handler(handler),
  };
}

/** Decodes the packets of one stream to 16 kHz. An undecodable packet becomes silence of its length. */
export class OpusPackets {
  readonly #decoder: PacketDecoder;
  readonly #channels: number;
  #lostPackets = 0;

  /** @param head header of the stream; must be simple */
  constructor(head: OpusHead) {
    library ??= loadOpus();
    this.#channels = head.channels;
    this.#decoder = library.createDecoder(head.channels);
    if (head.gainQ8 !== 0) this.#decoder.setGain(head.gainQ8);
  }

  /** Number of packets that could not be decoded. */
  get lostPackets(): number {
    return this.#lostPackets;
  }

  /** @returns samples at 16 kHz, interleaved; as many as the packet's header says */
  decode(packet: Uint8Array): Int16Array {
    const wanted = (opusPacketSamples(packet) / OPUS_SAMPLES_PER_SAMPLE) * this.#channels;
    try {
      // An empty packet would be concealed as a lost packet of the longest length.
      if (wanted === 0 || packet.length > MAX_PACKET_BYTES) throw new RangeError('no Opus packet');
      const samples = this.#decoder.decode(packet);
      if (samples.length === wanted) return samples;
    } catch {
      // Counted below.
    }
    this.#lostPackets += 1;
    return new Int16Array(wanted);
  }

  /** Frees the decoder's memory. */
  free(): void {
    this.#decoder.free();
  }
}
