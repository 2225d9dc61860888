import { hostname } from 'node:os';
import { z } from 'zod';
import { BridgeError } from './base/errors.js';
import { didYouMean } from './base/nearest.js';
import { TOKEN_PATTERN, TOKEN_RANGE } from './base/token.js';

/** User of an option: the service, also as a library; only the command `serve`; or its clients. */
export type OptionScope = 'service' | 'serve' | 'client';

/** One option, declared once: the flag, the environment variable, the help and the README's table are made from it. */
export interface OptionSpec<Schema extends z.ZodType = z.ZodType> {
  readonly schema: Schema;
  /** Flag with its value: `--lead-ms <ms>`; a switch has no value. */
  readonly flag: string;
  readonly env: string;
  readonly help: string;
  /** Range in words, for the table. */
  readonly range: string;
  readonly scopes: readonly OptionScope[];
  /** True for a secret value, which is never shown, not even in an error. */
  readonly secret?: boolean;
}

function option<Schema extends z.ZodType>(
  flag: string,
  schema: Schema,
  range: string,
  help: string,
  scopes: readonly OptionScope[] = ['service'],
): OptionSpec<Schema> {
  const name = /^--([a-z-]+)/.exec(flag)![1]!;
  return {
    schema,
    flag,
    env: `MMDAGENT_BRIDGE_${name.replaceAll('-', '_').toUpperCase()}`,
    help,
    range,
    scopes,
  };
}

const ms = (low: number, high: number, fallback: number): z.ZodDefault<z.ZodNumber> =>
  z.number().min(low).max(high).default(fallback);
const count = (low: number, high: number, fallback: number): z.ZodDefault<z.ZodNumber> =>
  z.number().int().min(low).max(high).default(fallback);

const secret = <Spec extends OptionSpec>(spec: Spec): Spec & { readonly secret: true } => ({
  ...spec,
  secret: true,
});

const splitList = (value: string): string[] =>
  value
    .split(',')
    .map((part) => part.trim())
    .filter(Boolean);

/** Parts of a text that are skipped by default. */
const SKIP_KINDS = ['code', 'think', 'table', 'direction'] as const;

/** Address for avatars over plain TCP: they connect to it (`listen`), or the bridge connects to them. */
export interface TcpAddress {
  readonly kind: 'listen' | 'connect';
  readonly host: string;
  /** Port; 0 takes any free port when listening. */
  readonly port: number;
  /** Name of the avatar on this address; without it, the remote machine gives the name. */
  readonly name: string | undefined;
}

const TCP_ADDRESS = /^(?:(\[[\da-f:.]+\]|[^\s:=[\]]+):)?(\d{1,5})(?:=([\p{L}\p{N}._-]{1,64}))?$/iu;

/**
 * Parses an address of `tcpConnect` or `tcpListen`.
 * @returns undefined for any other form
 */
export function tcpAddress(kind: TcpAddress['kind'], text: string): TcpAddress | undefined {
  const [, host, digits, name] = TCP_ADDRESS.exec(text) ?? [];
  const port = Number(digits);
  if (digits === undefined || port > 65_535) return undefined;
  if (kind === 'connect' && (port === 0 || host === undefined)) return undefined;
  return { kind, host: (host ?? '127.0.0.1').replace(/^\[|\]$/g, ''), port, name };
}

/** Address of a program that uses the bridge as an avatar: its own server, or a port to which it connects. */
export type RelayAddress =
  { readonly kind: 'websocket'; readonly url: string; readonly name: string | undefined } | TcpAddress;

/**
 * Parses an address of `relay`: `ws://HOST:PORT/PATH[=NAME]` or `tcp://HOST:PORT[=NAME]`.
 * @returns undefined for any other form
 */
export function relayAddress(text: string): RelayAddress | undefined {
  if (text.startsWith('tcp://')) return tcpAddress('connect', text.slice('tcp://'.length));
  // A query (`?token=x`) is part of the address; the name follows after another `=`.
  const [, query = '', rest = text] = /^([^?]*\?[^=]*=)(.*)$/.exec(text) ?? [];
  const [, end = '', name] = /^(.*?)(?:=([\p{L}\p{N}._-]{1,64}))?$/u.exec(rest)!;
  const url = query + end;
  return /^wss?:\/\//.test(url) && URL.canParse(url) ? { kind: 'websocket', url, name } : undefined;
}

/** Schema of several values: a list, or a text separated by commas. */
const list = (item: z.ZodType<string>): z.ZodDefault<z.ZodPreprocess<z.ZodArray<z.ZodType<string>>>> =>
  z.preprocess((value) => (typeof value === 'string' ? splitList(value) : value), z.array(item)).default([]);

/** Every option of the service and its client commands. */
export const OPTIONS = {
  host: option(
    '--host <address>',
    z.string().min(1).default('127.0.0.1'),
    'an address',
    'Where the service listens, or where a command finds it.',
    ['service', 'client'],
  ),
  url: option(
    '--url <address>',
    z.url({ protocol: /^(https?|wss?)$/ }).optional(),
    'an address such as http://192.168.1.5:9001',
    'Address of the service, in place of --host, --port and --tls.',
    ['client'],
  ),
  port: option(
    '--port <number>',
    count(0, 65_535, 9001),
    '0 to 65535; 0 takes a free one',
    'Its port, for avatars and the API alike.',
    ['service', 'client'],
  ),
  path: option(
    '--path <path>',
    z
      .string()
      .regex(/^\/[\w./-]*[\w.-]$/, 'a path such as /chat')
      .refine(
        (path) => !/^\/(api|healthz|readyz|metrics|console|login)(\/|$)/.test(path),
        'this path is the API’s own',
      )
      .default('/chat'),
    'a path',
    'Where avatars connect; PATH/NAME names one.',
  ),
  tcpConnect: option(
    '--tcp-connect <addresses>',
    list(z.string().refine((text) => tcpAddress('connect', text) !== undefined)),
    'HOST:PORT or HOST:PORT=NAME; repeat it or put commas between several',
    'Avatars that are TCP servers (Plugin_Remote_EnableServer): it connects to each, and tries until it is there.',
  ),
  tcpListen: option(
    '--tcp-listen <addresses>',
    list(z.string().refine((text) => tcpAddress('listen', text) !== undefined)),
    '[HOST:]PORT or [HOST:]PORT=NAME; repeat it or put commas between several',
    'Address at which avatars that are TCP clients (Plugin_Remote_EnableClient) connect; 127.0.0.1 without a HOST.',
  ),
  allowAnyAgent: option(
    '--allow-any-agent',
    z.boolean().default(false),
    'a switch',
    'Lets avatars come from other machines to --tcp-listen, where nobody can be asked for a token.',
  ),
  model: option(
    '--model <alias>',
    z
      .string()
      .regex(/^[^|,\r\n]{1,200}$/, 'an alias without | , or a line break')
      .default('0'),
    'an alias',
    'The model whose lips move, by its alias in the content.',
  ),
  leadMs: option(
    '--lead-ms <ms>',
    z.union([z.literal('auto'), z.number().min(20).max(2000)]).default('auto'),
    '20 to 2000 ms, or auto',
    'What an avatar holds unplayed: the cushion against gaps, and how long it speaks on after an interruption.',
  ),
  frameMs: option('--frame-ms <ms>', ms(10, 40, 40), '10 to 40 ms', 'How much sound one frame carries.'),
  readyTimeoutMs: option(
    '--ready-timeout-ms <ms>',
    ms(100, 3_600_000, 30_000),
    '100 to 3600000 ms',
    'How long a model may take to be loaded before a speech fails.',
  ),
  firstSoundMs: option(
    '--first-sound-ms <ms>',
    ms(0, 60_000, 2000),
    '0 to 60000 ms',
    'Sends no sound sooner after an avatar has connected: its sound device opens in this time, and drops what comes before. An avatar that sends its log (Plugin_Remote_AllLog) is not waited for longer than it needs.',
  ),
  agentTimeoutMs: option(
    '--agent-timeout-ms <ms>',
    ms(0, 86_400_000, 60_000),
    '0 to 86400000 ms',
    'How long a speech waits for an avatar that is not connected.',
  ),
  maxAgents: option('--max-agents <count>', count(1, 10_000, 1000), '1 to 10000', 'Avatars known at once.'),
  maxQueued: option(
    '--max-queued <count>',
    count(1, 10_000, 100),
    '1 to 10000',
    'Speeches that may wait, per avatar.',
  ),
  bufferMs: option(
    '--buffer-ms <ms>',
    ms(200, 60_000, 2000),
    '200 to 60000 ms',
    'Sound read ahead of each speech.',
  ),
  allowDangerous: option(
    '--allow-dangerous',
    z.boolean().default(false),
    'a switch',
    'Lets commands through that can run programs or fetch files on the avatar’s machine.',
  ),
  engine: option(
    '--engine <name>',
    z.string().min(1).default('auto'),
    'a name that voices lists',
    'What turns text into sound.',
  ),
  voice: option(
    '--voice <id>',
    z.string().max(200).default(''),
    'as the engine names it',
    'Which of its voices.',
  ),
  language: option(
    '--language <tag>',
    z.string().max(35).default(''),
    'a tag such as ja or en-US',
    'For engines that want a language beside the voice.',
  ),
  baseUrl: option(
    '--base-url <address>',
    z.string().max(2000).default(''),
    'an http(s) address',
    'Where the engine answers, when it is not where it usually is.',
  ),
  fallback: option(
    '--fallback <name>',
    z.string().max(50).default(''),
    'a name that voices lists',
    'The engine that speaks what the other cannot.',
  ),
  rate: option('--rate <factor>', z.number().min(0.25).max(4).default(1), '0.25 to 4', 'How fast it speaks.'),
  pitchSemitones: option(
    '--pitch-semitones <semitones>',
    z.number().min(-24).max(24).default(0),
    '-24 to 24 semitones',
    'How high it speaks, up or down from the voice’s own.',
  ),
  volume: option(
    '--volume <factor>',
    z.number().min(0).max(4).default(1),
    '0 to 4',
    'Loudness of the voice, made by the engine.',
  ),
  lips: option(
    '--lips <who>',
    z.enum(['auto', 'engine', 'avatar']).default('auto'),
    'auto, engine or avatar',
    'Who moves the lips to text: the engine by its own times, the avatar from the sound, or whichever is better.',
  ),
  captions: option(
    '--captions',
    z.boolean().default(false),
    'a switch',
    'Shows each sentence while it is spoken.',
  ),
  tags: option(
    '--tags <file>',
    z.string().min(1).optional(),
    'a YAML or JSON file',
    'What [word] in a text does: commands by their word.',
    ['serve'],
  ),
  answerSynth: option(
    '--answer-synth',
    z.boolean().default(false),
    'a switch',
    'Speaks what the avatars themselves ask for by SYNTH_START, in place of their own speech plugins.',
  ),
  synthPlugins: option(
    '--synth-plugins <what>',
    z.enum(['disable', 'keep']).default('disable'),
    'disable or keep',
    'With --answer-synth: switches the avatars’ own speech plugins off, or keeps them for voices not in the synth table.',
  ),
  unknownTags: option(
    '--unknown-tags <what>',
    z.enum(['drop', 'speak']).default('drop'),
    'drop or speak',
    'What becomes of a [word] that is no tag of the table.',
  ),
  skip: option(
    '--skip <kinds>',
    z
      .preprocess(
        (value) =>
          value === 'none' || value === '' ? [] : typeof value === 'string' ? splitList(value) : value,
        z.array(z.enum(SKIP_KINDS)),
      )
      .default([...SKIP_KINDS]),
    `none, or of ${SKIP_KINDS.join(', ')}`,
    'Parts of a text that are not spoken: code blocks, reasoning in tags, tables, stage directions.',
  ),
  dictionary: option(
    '--dictionary <file>',
    z.string().min(1).optional(),
    'a file of lines written = said',
    'Replacements before synthesis.',
    ['serve'],
  ),
  config: option(
    '--config <file>',
    z.string().min(1).optional(),
    'a YAML file; ./bridge.yaml if there is one',
    'Holds options, engines, tags and a dictionary.',
    ['serve'],
  ),
  token: secret(
    option(
      '--token <token>',
      z.string().regex(TOKEN_PATTERN).optional(),
      TOKEN_RANGE,
      'What callers of the API and the console must know; needed to listen beyond this machine.',
      ['service', 'client'],
    ),
  ),
  tokenFile: option(
    '--token-file <path>',
    z.string().min(1).optional(),
    'a path',
    'A file that holds the token, so that it is not seen among the processes.',
    ['service', 'client'],
  ),
  agentToken: secret(
    option(
      '--agent-token <token>',
      z.string().regex(TOKEN_PATTERN).optional(),
      TOKEN_RANGE,
      'What avatars must bring as ?token=… in their path.',
    ),
  ),
  allowOrigin: option(
    '--allow-origin <origins>',
    list(z.string().regex(/^https?:\/\/[^/\s,@]+$/)),
    'origins such as https://example.org, with commas between them',
    'Web pages of other origins that may call the API.',
  ),
  allowHost: option(
    '--allow-host <names>',
    list(z.string().regex(/^[\w.-]+$/)),
    'names such as avatar.example.org, with commas between them',
    'Names by which the service may be addressed, besides its own address.',
  ),
  tlsCert: option(
    '--tls-cert <path>',
    z.string().min(1).optional(),
    'a PEM file',
    'Serves HTTPS and WSS with this certificate; avatars speak TLS on port 443 only.',
  ),
  tlsKey: option('--tls-key <path>', z.string().min(1).optional(), 'a PEM file', 'The certificate’s key.'),
  relay: option(
    '--relay <addresses>',
    list(z.string().refine((text) => relayAddress(text) !== undefined)),
    'ws://HOST:PORT/PATH or tcp://HOST:PORT, each with =NAME for one agent; repeat it or put commas between several',
    'Programs that are servers for an avatar: the bridge connects to them in the avatar’s place.',
  ),
  relayListen: option(
    '--relay-listen <ports>',
    list(z.string().refine((text) => tcpAddress('listen', text) !== undefined)),
    '[HOST:]PORT or [HOST:]PORT=NAME; repeat it or put commas between several',
    'TCP ports for programs that connect to an avatar: the bridge answers in its place.',
  ),
  remdis: secret(
    option(
      '--remdis <url>',
      z
        .string()
        .regex(/^amqps?:\/\//)
        .optional(),
      'a URL such as amqp://guest:guest@localhost',
      'RabbitMQ server of Remdis: its speech, expressions and actions are passed on to the avatar.',
    ),
  ),
  remdisConfig: option(
    '--remdis-config <file>',
    z.string().min(1).optional(),
    'a rabbitmq_config.json',
    'File of the avatar’s RabbitMQ plugin: server, model and motions. Joins Remdis without --remdis too.',
  ),
  remdisText: option(
    '--remdis-text',
    z.boolean().default(false),
    'a switch',
    'Speaks the text of Remdis with the bridge’s own engine, in place of the sound of its TTS module.',
  ),
  remdisHeard: option(
    '--remdis-heard <exchange>',
    z
      .string()
      .regex(/^[\w.-]{1,100}$/)
      .optional(),
    'a name such as heard',
    'Exchange that is told what was heard of each utterance.',
  ),
  nats: option(
    '--nats <urls>',
    list(z.string().min(1)),
    'URLs such as nats://hub:4222, tls://… or wss://…, with commas between them',
    'NATS server that joins this service with those of other machines.',
  ),
  node: option(
    '--node <name>',
    z
      .string()
      .regex(/^[\w-]{1,32}$/)
      .optional(),
    '1 to 32 letters, digits, dashes or underscores; the machine’s name by default',
    'Name of this service among the nodes.',
  ),
  natsPrefix: option(
    '--nats-prefix <subject>',
    z
      .string()
      .regex(/^[\w-]+(\.[\w-]+)*$/)
      .max(100)
      .default('mmdagent'),
    'a NATS subject without wildcards',
    'First part of every subject: installations with different prefixes do not see each other.',
  ),
  natsAllow: option(
    '--nats-allow <verbs>',
    list(z.enum(['speak', 'say', 'send', 'control', 'events', 'none'])).default([
      'speak',
      'say',
      'send',
      'control',
      'events',
    ]),
    'speak, say, send, control, events, with commas between them; or none',
    'Actions of other nodes that are allowed on the avatars of this one.',
  ),
  onNodeLost: option(
    '--on-node-lost <action>',
    z.enum(['finish', 'stop']).default('finish'),
    'finish or stop',
    'Speeches of a caller on another node finish or stop when that node is lost.',
  ),
  natsUser: option('--nats-user <name>', z.string().min(1).optional(), 'a name', 'User on the NATS server.'),
  natsPassword: secret(
    option('--nats-password <password>', z.string().min(1).optional(), 'a text', 'Password of that user.'),
  ),
  natsToken: secret(
    option('--nats-token <token>', z.string().min(1).optional(), 'a text', 'Token for the NATS server.'),
  ),
  natsNkey: option(
    '--nats-nkey <path>',
    z.string().min(1).optional(),
    'a file',
    'File that holds the nkey seed for the NATS server.',
  ),
  natsCreds: option(
    '--nats-creds <path>',
    z.string().min(1).optional(),
    'a file',
    'Credentials file for the NATS server, as nsc writes it.',
  ),
  natsCa: option(
    '--nats-ca <path>',
    z.string().min(1).optional(),
    'a PEM file',
    'Certificate authority of the NATS server, where this machine does not trust it yet.',
  ),
  tls: option(
    '--tls',
    z.boolean().default(false),
    'a switch',
    'Speaks HTTPS with a service whose certificate this machine trusts.',
    ['client'],
  ),
  tlsCa: option(
    '--tls-ca <path>',
    z.string().min(1).optional(),
    'a PEM file',
    'Speaks HTTPS and trusts this certificate alone: the service’s own where it is self-signed, else its signer’s.',
    ['client'],
  ),
  stopDeadlineMs: option(
    '--stop-deadline-ms <ms>',
    ms(0, 600_000, 5000),
    '0 to 600000 ms',
    'How long speeches may go on when the service is ended; what is left then is stopped.',
    ['serve'],
  ),
  noKeeper: option(
    '--no-keeper',
    z.boolean().default(false),
    'a switch',
    'Runs everything in one process: no parent holds the avatars when it crashes or is restarted.',
    ['serve'],
  ),
  noStandby: option(
    '--no-standby',
    z.boolean().default(false),
    'a switch',
    'Keeps no second worker ready: less memory, and a crash takes about a second longer.',
    ['serve'],
  ),
  logLevel: option(
    '--log-level <level>',
    z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
    'debug, info, warn, error or silent',
    'What is worth a line of the log.',
  ),
  timeoutMs: option(
    '--timeout-ms <ms>',
    ms(0, 86_400_000, 0),
    '0 to 86400000 ms; 0 is none',
    'Bounds every wait of a command.',
    ['client'],
  ),
  agent: option(
    '--agent <name>',
    z.string().min(1).default('default'),
    'a name; several with commas between them, or all',
    'Which avatar.',
    ['client'],
  ),
} as const satisfies Record<string, OptionSpec>;

/** Key of an option in code. */
export type OptionKey = keyof typeof OPTIONS;

/** Returns an option's default as text; undefined when it has none or is a switch that is off. */
export function defaultText(spec: OptionSpec): string | undefined {
  const fallback = spec.schema.parse(undefined) as string | number | boolean | readonly string[] | undefined;
  if (
    fallback === undefined ||
    fallback === false ||
    (typeof fallback === 'object' && fallback.length === 0)
  ) {
    return undefined;
  }
  return fallback === true ? 'on' : String(fallback);
}

/** Values of all options. */
export type OptionValues = { [Key in OptionKey]: z.output<(typeof OPTIONS)[Key]['schema']> };

/** Keys that the service and `createBridge` accept. */
export const SERVICE_KEYS = keysOf('service');
/** Keys that only the command `serve` accepts, beside those of the service. */
export const SERVE_KEYS = keysOf('serve') as readonly ServeKey[];
/** Key of an option of the command `serve` that the library does not accept. */
export type ServeKey = 'stopDeadlineMs' | 'noKeeper' | 'noStandby' | 'config' | 'tags' | 'dictionary';
/** Keys that client commands accept. */
export const CLIENT_KEYS = keysOf('client');

function keysOf(...scopes: OptionScope[]): OptionKey[] {
  return (Object.keys(OPTIONS) as OptionKey[]).filter((key) =>
    scopes.some((scope) => OPTIONS[key].scopes.includes(scope)),
  );
}

/**
 * Validates options and adds defaults: the given value, else the environment, else the default.
 * @param keys accepted options; any other given key is an error
 * @param given values from a program; strings are parsed like those of the command line
 * @param env the environment; none by default, so that it does not affect a library's host unasked
 * @throws BridgeError OPTION_INVALID with the option, its value and its range
 */
export function resolveOptions<Key extends OptionKey>(
  keys: readonly Key[],
  given: Partial<Record<string, unknown>>,
  env: Partial<Record<string, string>> = {},
): Pick<OptionValues, Key> {
  for (const key of Object.keys(given)) {
    if (!keys.includes(key as Key) && given[key] !== undefined) {
      const advice = didYouMean(key, keys);
      throw new BridgeError('OPTION_INVALID', `There is no option ${key}${advice || '.'}`);
    }
  }
  const values: Record<string, unknown> = {};
  for (const key of keys) {
    const spec: OptionSpec = OPTIONS[key];
    const fromEnv = env[spec.env];
    const [value, name] =
      given[key] !== undefined
        ? [given[key], key]
        : fromEnv !== undefined && fromEnv !== ''
          ? [fromEnv, spec.env]
          : [undefined, key];
    const result = spec.schema.safeParse(typeof value === 'string' ? fromText(spec, value) : value);
    if (!result.success) {
      throw new BridgeError(
        'OPTION_INVALID',
        `${name} cannot be ${spec.secret ? 'what it is' : JSON.stringify(value)}: it takes ${spec.range}.`,
      );
    }
    values[key] = result.data;
  }
  return values as Pick<OptionValues, Key>;
}

const SWITCH = new Map([
  ...['1', 'true', 'yes', 'on'].map((word) => [word, true] as const),
  ...['0', 'false', 'no', 'off'].map((word) => [word, false] as const),
]);

/** Parses the text of a flag or an environment variable as the option's type: text, number or switch. */
function fromText(spec: OptionSpec, text: string): unknown {
  const readings = [text, text.trim() === '' ? NaN : Number(text), SWITCH.get(text.toLowerCase())];
  return readings.find((reading) => reading !== undefined && spec.schema.safeParse(reading).success) ?? text;
}

/** Returns the node name of a service: the option, else the machine's name as one token of a NATS subject. */
export function nodeNameOf({ node }: { readonly node?: string | undefined }): string {
  const machine = hostname()
    .split('.')[0]!
    .replaceAll(/[^\w-]/g, '-')
    .slice(0, 32);
  return node ?? (machine || 'node');
}
