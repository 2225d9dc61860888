import { BridgeError } from '../base/errors.js';
import { systemClock } from '../base/clock.js';
import { functionEngine, type EngineHost, type SpeechFunction, type TtsEngine } from './engine.js';
import type { EngineDefinition } from './engine-definition.js';
import { auto } from './engines/auto.js';
import { avatar } from './engines/avatar.js';
import { azure } from './engines/azure.js';
import { coeiroink } from './engines/coeiroink.js';
import { program } from './engines/program.js';
import { elevenlabs } from './engines/elevenlabs.js';
import { espeak } from './engines/espeak.js';
import { flite } from './engines/flite.js';
import { google } from './engines/google.js';
import { gptSovits } from './engines/gpt-sovits.js';
import { openaiFamily } from './engines/openai.js';
import { piper } from './engines/piper.js';
import { styleBertVits2 } from './engines/style-bert-vits2.js';
import { openJtalk } from './engines/open-jtalk.js';
import { aivisspeech, voicevox, voicevoxFamily } from './engines/voicevox.js';

const openai = { baseUrl: 'https://api.openai.com', model: 'gpt-4o-mini-tts', voice: 'alloy', parallel: 2 };
const kokoro = { baseUrl: 'http://127.0.0.1:8880', model: 'kokoro', voice: 'af_heart', parallel: 1 };

/** All engines. To add one, add a file in `engines/` and a line here. */
export const ENGINES: readonly EngineDefinition[] = [
  auto,
  flite,
  espeak,
  voicevox,
  aivisspeech,
  voicevoxFamily('sharevox', 50025, 'SHAREVOX, Japanese, on this machine'),
  voicevoxFamily('lmroid', 49973, 'LMROID, Japanese, on this machine'),
  coeiroink,
  openJtalk,
  styleBertVits2,
  gptSovits,
  piper,
  openaiFamily({ name: 'openai', summary: 'OpenAI, and every server that copies its API', ...openai }),
  openaiFamily({ name: 'kokoro', summary: 'Kokoro-FastAPI, many languages, on this machine', ...kokoro }),
  elevenlabs,
  azure,
  google,
  avatar,
  program,
];

/** Input of `createEngine`: a name of the table, an existing engine, or a function. */
export type EngineChoice = string | TtsEngine | SpeechFunction;

/**
 * Creates an engine without contacting it.
 * @param options options of the named engine; never a key
 * @throws BridgeError ENGINE_UNKNOWN, OPTION_INVALID or ENGINE_KEY_MISSING
 */
export function createEngine(
  choice: EngineChoice,
  options: object = {},
  host: Partial<EngineHost> = {},
): TtsEngine {
  if (typeof choice === 'function') return functionEngine(choice);
  if (typeof choice === 'object') return choice;
  const definition = ENGINES.find(({ name }) => name === choice);
  if (definition)
    return definition.create(options, { environment: process.env, clock: systemClock, ...host });
  const names = ENGINES.map(({ name }) => name).join(', ');
  throw new BridgeError('ENGINE_UNKNOWN', `There is no engine '${choice}'. There are ${names}.`);
}
