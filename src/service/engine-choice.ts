import { isDeepStrictEqual } from 'node:util';
import { BridgeError } from '../base/errors.js';
import { ENGINES } from '../tts/engines.js';
import type { BridgeHandle } from '../bridge.js';

/** Options that name a program, a file or a secret of the service's machine. */
const DANGEROUS_OPTIONS = ['program', 'wasmFile', 'dictionaryFolder', 'voiceFolder', 'keyEnv'];

/** Engine settings in a request. */
export interface AskedEngine {
  readonly engine?: string | undefined;
  readonly engineOptions?: object | undefined;
}

/**
 * Refuses engine options that an API caller may not set: a program to run, a file, a secret, or the destination of a key,
 * unless the service allows dangerous options; and from another machine any address. Options equal to the service's own
 * configuration are always allowed.
 * @param isLocal true when the caller is on the service's own machine
 * @throws BridgeError COMMAND_DANGEROUS or REQUEST_INVALID
 */
export function checkEngine(
  { options, engines }: Pick<BridgeHandle, 'options' | 'engines'>,
  { engine = engines.settle({}).engine as string, engineOptions }: AskedEngine,
  isLocal: boolean,
): void {
  if (engineOptions === undefined || isDeepStrictEqual(engineOptions, engines.configuredOptions(engine)))
    return;
  const dangerous = dangerousOptions(engine).find((name) => name in engineOptions);
  if (dangerous !== undefined && !options.allowDangerous) {
    throw new BridgeError(
      'COMMAND_DANGEROUS',
      `The option ${dangerous} of the engine ${engine} names a program, a file or a secret of the service’s machine, or where a secret is sent.`,
    );
  }
  if (!isLocal) {
    throw new BridgeError(
      'REQUEST_INVALID',
      'An engine’s options can be given from the service’s own machine only.',
    );
  }
}

function dangerousOptions(engine: string): string[] {
  // Piper's model is a file, and naming one makes Piper run the program.
  if (engine === 'piper') return [...DANGEROUS_OPTIONS, 'model'];
  const takesKey = 'keyEnv' in (ENGINES.find(({ name }) => name === engine)?.options.shape ?? {});
  // OpenAI's key is sent only to OpenAI's own hosts; the other engines send theirs to any given address.
  const guardsKey = engine === 'openai' || engine === 'kokoro';
  return takesKey && !guardsKey ? [...DANGEROUS_OPTIONS, 'baseUrl'] : DANGEROUS_OPTIONS;
}
