import { createRequire } from 'node:module';
import { BridgeError } from '../../base/errors.js';
import { SAMPLE_RATE_HZ } from '../../base/units.js';
import { OPUS_RATE_HZ, opusPacketSamples, type OpusHead } from './opus-packet.js';

/** Samples at 48 kHz in one of ours. */
export const OPUS_SAMPLES_PER_SAMPLE = OPUS_RATE_HZ / SAMPLE_RATE_HZ;

/** OPUS_SET_GAIN of libopus. */
const SET_GAIN = 4034;

/** Samples of each channel that a packet gives at the most: 120 ms. */
const MAX_SAMPLES = 0.12 * SAMPLE_RATE_HZ;

/**
 * One stream's decoder, at 16 kHz: libopus makes that as it decodes, at no cost in quality. It could make one channel
 * of two as well, but spoils frames of 2.5 ms that way.
 */
interface PacketDecoder {
  decode(packet: Uint8Array): Int16Array;
  setGain(gainQ8: number): void;
  free(): void;
}

/** The native libopus, where its package is installed. */
interface NativeOpus {
  readonly OpusEncoder: new (
    rateHz: number,
    channels: number,
  ) => { decode(packet: Buffer): Buffer; applyDecoderCTL(request: number, value: number): void };
}

/** The WASM inside opusscript 0.0.8. Every size and address counts bytes. */
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

/** One instance for all decoders, with the buffers that they share: a packet is decoded in one go. */
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

/** Opus as it is found on this machine. */
export interface OpusLibrary {
  /** The package's name, for `doctor`. */
  readonly name: string;
  readonly createDecoder: (channels: number) => PacketDecoder;
}

const require = createRequire(import.meta.url);
let library: OpusLibrary | undefined;

/**
 * The native Opus where it is installed (`npm install @discordjs/opus`), opusscript otherwise.
 * @param load looks a package up
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
    // Not installed, or built for another Node: nothing is lost but speed.
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

/** The largest packet: 48 frames of 1,275 bytes, and their lengths (RFC 6716 §3.4). */
const MAX_PACKET_BYTES = 48 * 1277 + 2;

/** OPUS_APPLICATION_AUDIO: for the encoder, which stands idle beside every decoder. */
const APPLICATION_AUDIO = 2049;

/**
 * The WASM of opusscript without its JavaScript. That has its output written to twice the address that it allocated,
 * memory of nobody; beyond the end of the memory from the thirtieth decoder on, so that nothing comes back; and what it
 * allocates is too small for packets above 60 ms.
 */
function scriptDecoder({ script, input, output }: Script, channels: number): PacketDecoder {
  const handler = new script.OpusScriptHandler(SAMPLE_RATE_HZ, channels, APPLICATION_AUDIO);
  return {
    decode: (packet) => {
      // The views are taken anew each time: the memory moves when it grows.
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

/** The packets of one stream to 16 kHz. A packet that cannot be decoded becomes silence of its length. */
export class OpusPackets {
  readonly #decoder: PacketDecoder;
  readonly #channels: number;
  #lostPackets = 0;

  /** @param head the stream's, of a kind that is simple */
  constructor(head: OpusHead) {
    library ??= loadOpus();
    this.#channels = head.channels;
    this.#decoder = library.createDecoder(head.channels);
    if (head.gainQ8 !== 0) this.#decoder.setGain(head.gainQ8);
  }

  /** Packets that could not be decoded. */
  get lostPackets(): number {
    return this.#lostPackets;
  }

  /** @returns samples at 16 kHz, interleaved; as many as the packet's head says */
  decode(packet: Uint8Array): Int16Array {
    const wanted = (opusPacketSamples(packet) / OPUS_SAMPLES_PER_SAMPLE) * this.#channels;
    try {
      // Nothing at all would be concealed as a lost packet of the longest length.
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
