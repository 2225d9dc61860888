/**
 * Category of an error code. The HTTP status and the exit code follow from it.
 * - `usage`: the request is wrong and would fail again
 * - `input`: the given sound or text cannot be used
 * - `not-found`: the named thing does not exist
 * - `denied`: not allowed, by a token, an origin or a missing permission
 * - `limit`: a stated limit was reached
 * - `unavailable`: a program, service or avatar is missing at the moment
 * - `timeout`: the time limit of a wait was reached
 * - `stopped`: ended on purpose
 * - `internal`: a fault of the bridge itself
 */
export type ErrorKind =
  'usage' | 'input' | 'not-found' | 'denied' | 'limit' | 'unavailable' | 'timeout' | 'stopped' | 'internal';

/** One row of the error table. */
export interface ErrorEntry {
  readonly kind: ErrorKind;
  /** Advice for the user, one or two sentences. */
  readonly advice: string;
  /** True when the same call can succeed later without a change. */
  readonly retryable: boolean;
}

const entry = (kind: ErrorKind, retryable: boolean, advice: string): ErrorEntry => ({
  kind,
  retryable,
  advice,
});

/**
 * All errors of the project. Codes are stable: users match on them. The table in the documentation is
 * generated from this one, and a test fails when they differ.
 */
export const ERRORS = {
  // The caller
  OPTION_INVALID: entry('usage', false, 'See --help, or the options table in the README.'),
  CONFIG_INVALID: entry(
    'usage',
    false,
    'Mend the line that the message names. The README tells what a bridge.yaml holds.',
  ),
  COMMAND_INVALID: entry(
    'usage',
    false,
    'A command is one line, TYPE|arg|arg…; see the rule that the message names.',
  ),
  COMMAND_DANGEROUS: entry(
    'denied',
    false,
    'It can run programs or end the avatar. If you mean it, start the service with --allow-dangerous.',
  ),
  AGENT_REFUSED: entry(
    'denied',
    true,
    "The service's log says why. Check the path of the address, and its token.",
  ),
  CUES_INVALID: entry('input', false, 'See the cue file’s form in the README: JSON or WebVTT.'),
  // Files and sound
  FILE_NOT_FOUND: entry('not-found', false, 'Check the path; it is relative to the folder you are in.'),
  FILE_UNREADABLE: entry('input', false, 'Check that it is a file, and that you are allowed to read it.'),
  FILE_UNWRITABLE: entry(
    'input',
    false,
    'Check that the folder exists, and that you are allowed to write there.',
  ),
  SOUND_EMPTY: entry('input', false, 'There is nothing to speak in it. Check what wrote it.'),
  SOUND_UNKNOWN: entry('input', false, 'Convert it to WAV, or name the format of headerless data.'),
  SOUND_BROKEN: entry('input', false, 'The data is damaged. Play it elsewhere, or convert it again.'),
  SOUND_TOO_LARGE: entry(
    'limit',
    false,
    'Convert it to WAV, MP3, FLAC or Opus, which play while they are read.',
  ),
  FFMPEG_MISSING: entry(
    'unavailable',
    false,
    'Install it (Debian, Ubuntu: sudo apt install ffmpeg; macOS: brew install ffmpeg; Windows: winget install ffmpeg), or convert the sound to WAV, MP3, FLAC or Opus.',
  ),
  SOURCE_FAILED: entry('input', true, 'What the sound came from broke off; see the cause in the message.'),
  SOURCE_URL_INVALID: entry('usage', false, 'Give a whole address that begins with http:// or https://.'),
  SOURCE_DENIED: entry(
    'denied',
    false,
    'It lies in the private network or inside this machine. Only a caller on this machine may ask for it.',
  ),
  SOURCE_NOT_SOUND: entry('input', false, 'The address leads to a page or a message. Open it in a browser.'),
  SOURCE_TOO_LARGE: entry('limit', false, 'Cut it into parts, or raise the limit that the message names.'),
  SOURCE_TIMEOUT: entry('timeout', true, 'The other side is too slow or hangs. Try again later.'),
  // Microphones and recordings
  RECORDER_MISSING: entry('unavailable', true, "Install one of them; 'mmdagent-bridge doctor' says how."),
  RECORDER_FAILED: entry(
    'unavailable',
    true,
    "List the microphones with 'mmdagent-bridge devices', and name one with --device, or another --recorder.",
  ),
  SAVE_FAILED: entry('input', false, 'Check the path, the permissions and the space left for --save.'),
  // Text and its engines
  TEXT_EMPTY: entry('input', false, 'There is no letter and no digit in it, so there is nothing to say.'),
  TEXT_ENCODING: entry(
    'input',
    false,
    'Send UTF-8, or name the encoding: --encoding on the command line, charset in the content type of a request.',
  ),
  ENGINE_UNKNOWN: entry('usage', false, 'Name one of the engines that the message lists.'),
  ENGINE_MISSING: entry('unavailable', false, 'Install what the message names, or choose another --engine.'),
  ENGINE_KEY_MISSING: entry(
    'usage',
    false,
    'Put the key into the environment variable that the message names.',
  ),
  ENGINE_UNREACHABLE: entry('unavailable', true, 'Start the engine, or check --base-url.'),
  ENGINE_DENIED: entry('denied', false, 'Check the key, and that the account may use this voice and model.'),
  ENGINE_BUSY: entry('limit', true, 'The engine takes no more for now. Wait, or ask for less at a time.'),
  ENGINE_TIMEOUT: entry(
    'timeout',
    true,
    'The engine is too slow or hangs. Look at it, or give it more time.',
  ),
  ENGINE_FAILED: entry(
    'unavailable',
    true,
    'The engine answered with a fault; its own words are in the message.',
  ),
  ENGINE_REFUSED: entry(
    'unavailable',
    false,
    'The engine did not accept the request; its own words are in the message. Check the text, the voice and its options.',
  ),
  LANGUAGE_UNSUPPORTED: entry(
    'usage',
    false,
    'Choose an --engine that speaks the language, or name one with --fallback for such sentences.',
  ),
  VOICE_UNKNOWN: entry('not-found', false, "List what there is with 'mmdagent-bridge voices'."),
  // Avatars and speeches
  AGENT_UNKNOWN: entry('not-found', false, "List who is connected with 'mmdagent-bridge agents'."),
  AGENT_NAME_INVALID: entry(
    'usage',
    false,
    'A name has 1 to 64 letters, digits, dots, dashes or underscores.',
  ),
  SOUND_DEVICE_FAILED: entry(
    'unavailable',
    false,
    'Check the sound device of the avatar’s machine, then start the avatar anew.',
  ),
  MODEL_GONE: entry(
    'unavailable',
    true,
    'Add the model again with its alias; agent.replaceModel() exchanges a model without losing a speech that follows.',
  ),
  AGENT_ABSENT: entry(
    'unavailable',
    true,
    'Start MMDAgent-EX with the three .mdf lines that serve prints, or a simulator.',
  ),
  AGENT_LOST: entry(
    'unavailable',
    true,
    'The avatar closed its connection or its program ended. Start it again; the service goes on.',
  ),
  AGENT_STALLED: entry(
    'unavailable',
    true,
    'The avatar has stopped reading. Look at its window; it may be frozen.',
  ),
  AGENT_BUSY: entry('unavailable', true, 'Try again when it is silent, or queue or interrupt instead.'),
  AGENT_LIMIT: entry('limit', true, 'Close avatars that are not needed, or raise --max-agents.'),
  MODEL_NOT_READY: entry(
    'timeout',
    true,
    'Check that the content loads a model under this alias (MODEL_ADD|alias|…), or name another with --model.',
  ),
  SPEECH_UNKNOWN: entry('not-found', false, 'It has ended, or never was. List what there is with the queue.'),
  SPEECH_STOPPED: entry('stopped', false, 'It was stopped on purpose.'),
  CUE_LIMIT: entry('limit', true, 'Add cues while their speech sounds, a while before their moment.'),
  QUEUE_FULL: entry('limit', true, 'Wait until a speech has ended, stop one, or raise --max-queued.'),
  // Other nodes
  NODE_UNREACHABLE: entry(
    'unavailable',
    true,
    'Check that the node runs and that it reaches the NATS server. GET /api/nodes lists the nodes.',
  ),
  NODE_LINK_BROKEN: entry(
    'unavailable',
    true,
    'Send it again. If it happens again, check the NATS server and its log.',
  ),
  NODE_DENIED: entry(
    'denied',
    false,
    'Start the node that the message names with --nats-allow that lists it.',
  ),
  AGENT_AMBIGUOUS: entry('usage', false, 'Add the node to the name: NAME@NODE.'),
  // The service and its context
  SERVICE_NOT_RUNNING: entry(
    'unavailable',
    true,
    "Start it in another terminal with 'mmdagent-bridge serve'.",
  ),
  SERVICE_PROTOCOL: entry('unavailable', false, 'Another program answers there. Check --host and --port.'),
  SERVICE_LOST: entry(
    'unavailable',
    true,
    'After a crash the service is back in a moment: ask again. Else look at where it runs, and start it.',
  ),
  SERVICE_CLOSING: entry('unavailable', true, 'The service is ending. Try again when it runs again.'),
  PORT_IN_USE: entry(
    'unavailable',
    true,
    'Another program uses it, perhaps a service already running. Choose another --port.',
  ),
  HOST_INVALID: entry('usage', false, 'Give an address of this machine, such as 127.0.0.1.'),
  LISTEN_DENIED: entry('denied', false, 'Ports below 1024 need a permission. Choose a --port above.'),
  REQUEST_INVALID: entry(
    'usage',
    false,
    'The API’s reference, /api/openapi.json, says what each route takes.',
  ),
  UPGRADE_REQUIRED: entry('usage', false, 'Connect with a WebSocket; the samples show how.'),
  REQUEST_TIMEOUT: entry('timeout', true, 'Send the whole body of the request at once.'),
  ROUTE_UNKNOWN: entry('not-found', false, 'The API’s reference, /api/openapi.json, lists every route.'),
  BODY_TOO_LARGE: entry('limit', false, 'Send it in several requests.'),
  STREAM_LIMIT: entry('limit', true, 'Wait until one has ended, or close some that are not needed.'),
  FOLLOWER_LIMIT: entry('limit', true, 'Close followers that are not needed.'),
  HOST_DENIED: entry(
    'denied',
    false,
    'Address the service as localhost, by its address, or by a name that --allow-host lists.',
  ),
  ORIGIN_DENIED: entry(
    'denied',
    false,
    'Only pages of the service itself may call it from a browser, and those that --allow-origin lists.',
  ),
  HOST_EXPOSED: entry(
    'denied',
    false,
    'Give it a secret with --token-file or --token (mmdagent-bridge token makes one), or listen on 127.0.0.1.',
  ),
  TOKEN_REQUIRED: entry(
    'denied',
    false,
    'Send the service’s token: --token, MMDAGENT_BRIDGE_TOKEN, or the header Authorization: Bearer.',
  ),
  TLS_INVALID: entry('usage', false, 'Give --tls-cert and --tls-key, both in PEM, that belong together.'),
  TLS_UNTRUSTED: entry(
    'denied',
    false,
    'Name the service’s certificate, or its signer’s, with --tls-ca, and the service by a name that the certificate holds.',
  ),
  TLS_MISMATCH: entry('usage', false, 'Commands speak HTTPS with --tls or --tls-ca, and HTTP without.'),
  TIMEOUT: entry('timeout', true, 'Give it more time with --timeout-ms.'),
  CLOSE_TIMEOUT: entry('internal', false, 'Something did not close in time; it was left behind.'),
  KEEPER_NONE: entry(
    'unavailable',
    false,
    'Start it without --no-keeper and without TLS; or end it and start it anew.',
  ),
  KEEPER_GONE: entry(
    'unavailable',
    false,
    'Start serve anew when the process has ended: by itself with its last avatar, or now by SIGTERM, which ends its avatars.',
  ),
  RESTART_FAILED: entry('unavailable', true, 'The service’s log says why; the old process goes on.'),
  RESTARTING: entry(
    'unavailable',
    true,
    'Ask again: the service is being restarted, and is back in a moment.',
  ),
  CLOSED: entry('stopped', false, 'It has been closed; make a new one.'),
  INTERNAL: entry('internal', false, 'This is a fault of the bridge. Please report it with the log.'),
} as const satisfies Record<string, ErrorEntry>;

/** A code of the error table. */
export type ErrorCode = keyof typeof ERRORS;

/**
 * The only error class. `message` says what happened to which file, agent or option; `advice` says what to
 * do. Match on `code`, never on the message.
 */
export class BridgeError extends Error {
  readonly code: ErrorCode;
  readonly advice: string;

  /**
   * @param message a whole sentence that names the thing at fault
   * @param options.cause the underlying error
   * @param options.advice replaces the advice of the table where this case has better advice
   */
  constructor(
    code: ErrorCode,
    message: string,
    options: { cause?: unknown; advice?: string | undefined } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'BridgeError';
    this.code = code;
    this.advice = options.advice ?? ERRORS[code].advice;
  }

  /** Category of the error. */
  get kind(): ErrorKind {
    return ERRORS[this.code].kind;
  }

  /** True when the same call can succeed later without a change. */
  get retryable(): boolean {
    return ERRORS[this.code].retryable;
  }

  override toString(): string {
    return `${this.message} [${this.code}] ${this.advice}`;
  }
}

/**
 * Converts any thrown value to a BridgeError. A BridgeError is returned as it is; anything else gets the
 * given code.
 * @param context the failed action, as the start of the sentence
 */
export function toBridgeError(error: unknown, code: ErrorCode, context: string): BridgeError {
  if (error instanceof BridgeError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new BridgeError(code, `${context}: ${reason}`, { cause: error });
}
