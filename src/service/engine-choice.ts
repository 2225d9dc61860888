import { isDeepStrictEqual } from 'node:util';
import { BridgeError } from '../base/errors.js';
import { ENGINES } from '../tts/engines.js';
import type { BridgeHandle } from '../bridge.js';

/** Options that name a program, a file or a secret of the service's machine. */
const DANGEROUS_OPTIONS = ['program', 'wasmFile', 'dictionaryFolder', 'voiceFolder', 'keyEnv'];

/** What a request says of the engine that is to speak. */
export interface AskedEngine {
  readonly engine?: string | undefined;
  readonly engineOptions?: object | undefined;
}

/**
 * Refuses what a caller of the API may not choose: a program to run, a file, a secret, or where a key is sent to, unless
 * the service allows what is dangerous; and from another machine any address to ask. What the service is set up with
 * itself anybody may name.
 * @param isLocal the caller is on the service's own machine
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
  // Piper's model is a file, and makes it run the program.
  if (engine === 'piper') return [...DANGEROUS_OPTIONS, 'model'];
  const takesKey = 'keyEnv' in (ENGINES.find(({ name }) => name === engine)?.options.shape ?? {});
  // OpenAI's key goes to OpenAI's own hosts alone; the others send theirs wherever they are told to.
  const guardsKey = engine === 'openai' || engine === 'kokoro';
  return takesKey && !guardsKey ? [...DANGEROUS_OPTIONS, 'baseUrl'] : DANGEROUS_OPTIONS;
}
