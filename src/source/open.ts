import { fileURLToPath } from 'node:url';
import { BridgeError } from '../base/errors.js';
import { parseRawFormat } from '../audio/decode/raw.js';
import type { SoundInput, SoundInputOptions } from '../audio/input.js';
import type { Sound } from '../audio/pcm.js';
import type { DecodeOptions } from '../audio/probe.js';
import { fileSound } from './file.js';
import { bytesSound, samplesSound, streamSound } from './memory.js';
import { urlSound } from './url.js';

/**
 * Makes a sound of any input. Nothing is read yet.
 * @throws BridgeError OPTION_INVALID when the input cannot be played, or an option does not fit it
 */
export function openSound(input: SoundInput, options: SoundInputOptions): Sound {
  const decode: DecodeOptions = {
    raw: options.format === undefined ? undefined : parseRawFormat(options.format),
  };
  const named = { ...decode, label: options.label };
  if (isAddress(input)) return urlSound(input, { ...decode, allowPrivate: options.allowPrivate ?? true });
  if (typeof input === 'string' || input instanceof URL) return fileSound(pathOf(input), decode);
  if (input instanceof Int16Array || input instanceof Float32Array) {
    const { sampleRateHz, channels = 1, label } = options;
    if (sampleRateHz === undefined) {
      throw new BridgeError('OPTION_INVALID', 'Samples need their rate: give sampleRateHz beside them.');
    }
    return samplesSound(input, sampleRateHz, { channels, label });
  }
  if (input instanceof Uint8Array) return bytesSound(input, named);
  if (isSound(input)) return input;
  if (isStream(input)) return streamSound(input, named);
  throw new BridgeError(
    'OPTION_INVALID',
    `A ${typeof input} cannot be spoken: give a path, an address, bytes, samples with their rate, or a stream of bytes.`,
  );
}

/**
 * Returns the path of a file that is given by a path or a `file:///…` URL.
 * @throws BridgeError FILE_NOT_FOUND for a URL of a file on another machine
 */
export function pathOf(file: string | URL): string {
  if (typeof file === 'string' && !/^file:\/\//i.test(file)) return file;
  try {
    return fileURLToPath(file);
  } catch (cause) {
    throw new BridgeError(
      'FILE_NOT_FOUND',
      `'${String(file)}' is not the address of a file on this machine.`,
      {
        cause,
      },
    );
  }
}

/** True for every URL except `file:`, so that an unsupported scheme is reported as such. */
function isAddress(input: SoundInput): input is string | URL {
  return typeof input === 'string'
    ? /^https?:\/\//i.test(input)
    : input instanceof URL && input.protocol !== 'file:';
}

function isSound(input: object): input is Sound {
  return 'open' in input && 'label' in input && 'live' in input;
}

function isStream(input: object): input is Parameters<typeof streamSound>[0] {
  return Symbol.asyncIterator in input || 'getReader' in input;
}
