import type { Readable } from 'node:stream';
import { BridgeError } from '../base/errors.js';
import type { Sound } from '../audio/pcm.js';
import type { DecodeOptions } from '../audio/probe.js';
import { streamSound } from './memory.js';

/** The input of a program: a pipe or a file, or a terminal. */
type Input = Readable & { readonly isTTY?: boolean };

/**
 * What is piped into this process, spoken while the other program still writes.
 * @param options.input in place of this process's standard input
 * @throws BridgeError OPTION_INVALID at once when it is a terminal: nobody types a sound
 */
export function stdinSound(options: DecodeOptions & { readonly input?: Input } = {}): Sound {
  const { input = process.stdin, ...decode } = options;
  if (input.isTTY === true)
    throw new BridgeError('OPTION_INVALID', 'Standard input is a terminal, so there is no sound in it.', {
      advice: 'Pipe a sound into it: some-tts --stdout | mmdagent-bridge speak -',
    });
  return streamSound(input, { ...decode, label: 'standard input' });
}
