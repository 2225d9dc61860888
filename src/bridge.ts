import { ByteBudget } from './base/byte-budget.js';
import { systemClock, within, type Clock } from './base/clock.js';
import { Emitter, type Listenable } from './base/emitter.js';
import { BridgeError } from './base/errors.js';
import { Lifetime } from './base/lifetime.js';
import { silentLogger, type Logger } from './base/logger.js';
import { tokenMatcher } from './base/token.js';
import { createConverter } from './audio/convert.js';
import type { AgentSettings } from './agent/settings.js';
import { DEFAULT_AGENT, AgentRegistry } from './agent/registry.js';
import { Agent } from './agent/agent.js';
import { AgentGroup } from './agent/group.js';
import type { SayOptions } from './agent/say.js';
import { mannerOf, TextNarrator, usualVoice } from './narration/narrator.js';
import { SynthAnswerer, type SynthVoices } from './narration/synth-answerer.js';
import {
  nodeNameOf,
  relayAddress,
  resolveOptions,
  SERVICE_KEYS,
  tcpAddress,
  type OptionValues,
  type ServeKey,
} from './config.js';
import type { KeeperClient } from './keeper/keeper-client.js';
import { sweepTemporaryFiles } from './audio/decode/temporary-file.js';
import { openSound } from './source/open.js';
import type { TtsEngine } from './tts/engine.js';
import { EnginePool, type VoiceDefaults } from './tts/engine-pool.js';
import { TimerWheel } from './speech/timer-wheel.js';
import { Handover } from './transport/handover.js';
import { listenError, Listener, type ListenAddress } from './transport/listener.js';
import { AVATAR_TLS_PORT, readTls } from './transport/tls.js';
import { TcpAvatars, type TcpEntrance } from './transport/tcp.js';
import { AvatarRoute } from './transport/websocket.js';

/** Memory for waiting texts and cues of all agents. */
const MAX_WAITING_BYTES = 64 * 1024 * 1024;

type ServiceKey = Exclude<keyof OptionValues, 'url' | 'timeoutMs' | 'agent' | 'tls' | 'tlsCa' | ServeKey>;

/** Options of a bridge: the service's part of the options table, and options that only a program can give. */
export interface BridgeOptions extends Partial<Pick<OptionValues, ServiceKey>> {
  /** Logger, such as a pino instance; by default nothing is logged. */
  readonly logger?: Logger;
  /** Default options of spoken text: engine, voice, tags, dictionary. */
  readonly say?: SayOptions;
  /** Settings of single engines by name, used for every request. */
  readonly engines?: VoiceDefaults['engines'];
  /** Voices by the names in the avatars' SYNTH_START messages; setting any turns `answerSynth` on. */
  readonly synthVoices?: SynthVoices | undefined;
}

/** Options of a bridge inside this package's own service. @internal */
export interface OpenOptions extends BridgeOptions {
  /** Monotonic clock; the system's by default. */
  readonly clock?: Clock | undefined;
  /** Source of connections when a keeper holds the port. */
  readonly keeperClient?: KeeperClient | undefined;
}

/** The events of a bridge. */
export interface BridgeEvents {
  /** An agent was added under a new name; subscribe to the agent for its events. */
  agent: Agent;
  /** A connection was refused. */
  refused: { path: string; reason: string };
}

/** A running bridge: it listens for avatars and speaks through them. */
export interface Bridge extends Listenable<BridgeEvents> {
  /** Listening address, with the real port. */
  readonly address: ListenAddress;
  /** Addresses for avatars over plain TCP, with their real ports. */
  readonly tcpAddresses: readonly TcpEntrance[];
  /** Options in force. */
  readonly options: Readonly<Pick<OptionValues, ServiceKey>>;
  readonly logger: Logger;
  /**
   * Returns the agent of that name, connected or not.
   * @param name default `default`: the avatar that connects without a name
   * @throws BridgeError AGENT_NAME_INVALID or AGENT_LIMIT
   */
  agent(name?: string): Agent;
  /** Returns the agent of that name if it is connected or was requested before. */
  findAgent(name: string): Agent | undefined;
  /** Returns every known agent. */
  agents(): Agent[];
  /**
   * Returns several agents as one group.
   * @param names by default every agent connected now
   * @throws BridgeError AGENT_UNKNOWN when there is none; as `agent`
   */
  group(names?: readonly string[]): AgentGroup;
  /**
   * Refuses new speeches, and settles when the current ones have ended or after the deadline; `close` stops the rest.
   * @param deadlineMs maximum time for the current speeches
   */
  drain(deadlineMs: number): Promise<void>;
  /** Ends every speech and drops every connection, which ends the avatars' programs (protocol.md §1). */
  close(): Promise<void>;
}

/** A bridge with the parts used by the service, the command line and benchmarks. @internal */
export interface BridgeHandle extends Bridge {
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  /** Listener of its port, for serving HTTP beside the avatars. */
  readonly listener: Listener;
  /** Text-to-speech engines, for listing their voices. */
  readonly engines: EnginePool;
  /** Handover between this process and those before and after it; only with a `keeperClient`. */
  readonly handover: Handover | undefined;
  /**
   * Same as `agent`, for temporary use: a name under which no avatar connects is forgotten again.
   * @throws BridgeError AGENT_NAME_INVALID or AGENT_LIMIT
   */
  visitAgent(name: string): Agent;
  /** Same as `group`, for temporary use; see `visitAgent`. @throws as `group` */
  visitGroup(names?: readonly string[]): AgentGroup;
  /**
   * Adds something that the bridge closes before its own parts.
   * @param name name in error messages
   */
  own(name: string, close: () => Promise<void> | void): void;
}

/** Handles of the bridges of this process. */
const handles = new WeakMap<Bridge, BridgeHandle>();

/**
 * Returns the handle of a bridge. @internal
 * @throws BridgeError OPTION_INVALID when it was not made by `createBridge`
 */
export function handleOf(bridge: Bridge): BridgeHandle {
  const handle = handles.get(bridge);
  if (handle) return handle;
  throw new BridgeError('OPTION_INVALID', 'The bridge was not made by createBridge: pass what it returned.');
}

/**
 * Starts a bridge and listens.
 * @throws BridgeError OPTION_INVALID, TLS_INVALID, FILE_NOT_FOUND, PORT_IN_USE, HOST_INVALID or LISTEN_DENIED
 */
export async function createBridge(options: BridgeOptions = {}): Promise<Bridge> {
  const handle = await openBridge(options);
  const { address, logger } = handle;
  const bridge: Bridge = {
    ...{ address, tcpAddresses: handle.tcpAddresses, logger, options: handle.options },
    ...{ agent: handle.agent, findAgent: handle.findAgent, agents: handle.agents, group: handle.group },
    ...{ on: handle.on, once: handle.once, off: handle.off },
    ...{ drain: handle.drain, close: handle.close },
  };
  handles.set(bridge, handle);
  return bridge;
}

/** Refuses the avatar's own voice as the engine of SYNTH_START: the avatar would ask the bridge again. */
function refuseOwnVoice({ name, capabilities }: TtsEngine): void {
  if (!capabilities.performs) return;
  throw new BridgeError(
    'OPTION_INVALID',
    `The engine ${name} cannot answer SYNTH_START: name another in the table of synth voices.`,
  );
}

/** Same as `createBridge`, with the bridge's parts. @internal */
export async function openBridge(options: OpenOptions = {}): Promise<BridgeHandle> {
  const {
    logger = silentLogger,
    clock = systemClock,
    say = {},
    engines: engineSettings = {},
    synthVoices,
    keeperClient,
    ...given
  } = options;
  const values = resolveOptions(SERVICE_KEYS, given) as Pick<OptionValues, ServiceKey>;
  // Load the resampler now, so that the first speech need not wait for it.
  (await createConverter()).close();
  const lifetime = new Lifetime();
  const events = new Emitter<BridgeEvents>((error) =>
    logger.error({ error: String(error) }, 'a listener of a bridge event threw'),
  );
  const wheel = new TimerWheel(clock, {
    onError: (error) =>
      logger.error({ error: error instanceof Error ? error.stack : error }, 'a timed task threw'),
  });
  let speechCount = 0;
  // Ids must be unique among nodes.
  const idPrefix = values.nats.length === 0 ? 's' : `${nodeNameOf(values)}-s`;
  const engines = new EnginePool(
    { environment: process.env, clock },
    { choice: usualVoice(values, say), engines: engineSettings },
  );
  // An unknown engine or a missing key fails now, and not at the first sentence.
  const usual = engines.choose({}).engine;
  if (values.answerSynth && synthVoices?.['*'] === undefined) refuseOwnVoice(usual);
  for (const voice of Object.values(synthVoices ?? {})) refuseOwnVoice(engines.choose(voice).engine);
  const settings: AgentSettings = {
    ...values,
    clock,
    wheel,
    logger,
    openSound,
    narrator: new TextNarrator({ clock, model: values.model }, engines, {
      lips: values.lips,
      captions: values.captions,
      unknownTags: values.unknownTags,
      skip: values.skip,
      ...mannerOf(say),
    }),
    budget: new ByteBudget(MAX_WAITING_BYTES),
    connectedAgents: () =>
      registry
        .list()
        .filter(({ state }) => state !== 'absent')
        .map(({ name }) => name),
    // Two processes of one service can speak at the same time; ids must be unique among them.
    nextSpeechId: () =>
      `${idPrefix}${keeperClient && keeperClient.number > 1 ? `${keeperClient.number}-` : ''}${(speechCount += 1)}`,
  };
  const registry = new AgentRegistry((name) => new Agent(name, settings), {
    maxAgents: values.maxAgents,
  });
  const answerer =
    values.answerSynth || synthVoices
      ? new SynthAnswerer({ voices: synthVoices, plugins: values.synthPlugins }, clock, logger)
      : undefined;
  registry.events.on('agent', (agent) => {
    answerer?.attach(agent);
    events.emit('agent', agent);
  });

  const tls = readTls(values.tlsCert, values.tlsKey);
  if (tls && keeperClient) {
    // A TLS session's keys live in one process; another process could not use its socket.
    throw new BridgeError(
      'OPTION_INVALID',
      'A keeper cannot hold connections that speak TLS: add --no-keeper.',
    );
  }
  // Remove files left behind by a killed process.
  void sweepTemporaryFiles();
  const listener = new Listener(tls);
  const avatars = new AvatarRoute({
    path: values.path,
    clock,
    logger,
    tokenMatches: values.agentToken === undefined ? undefined : tokenMatcher(values.agentToken),
    admit: (name) => registry.admit(name ?? DEFAULT_AGENT),
    accept: (name, connection, state) => registry.attach(name ?? DEFAULT_AGENT, connection, state),
  });
  listener.addUpgradeRoute(avatars.route);
  listener.onRefused((path, reason) => {
    logger.warn({ path }, `a connection was refused: ${reason}; avatars connect at ${values.path}`);
    events.emit('refused', { path, reason });
  });

  const tcpAvatars = new TcpAvatars({
    allowAnyAgent: values.allowAnyAgent,
    entrances: [
      ...values.tcpConnect.map((text) => tcpAddress('connect', text)!),
      ...values.tcpListen.map((text) => tcpAddress('listen', text)!),
    ],
    clock,
    logger,
    accept: (name, connection, state) => registry.attach(name ?? DEFAULT_AGENT, connection, state),
  });

  const wish = { host: values.host, port: values.port };
  const address = await (keeperClient
    ? keeperClient.listen(wish).catch((error: unknown) => {
        throw listenError(error as NodeJS.ErrnoException, wish);
      })
    : listener.listen(wish));
  if (tls && address.port !== AVATAR_TLS_PORT) {
    logger.warn(
      { port: address.port },
      `avatars cannot connect here: they speak TLS on port ${AVATAR_TLS_PORT} only, and port ${address.port} speaks nothing else`,
    );
  }
  const handover =
    keeperClient &&
    new Handover({ keeperClient, address, registry, listener, avatars, tcpAvatars, clock, logger });
  const relays = await openRelays(values, { registry, clock, logger });
  const remdis = await prepareRemdis(values, { registry, clock, logger });
  handover?.events.on('retire', () => void remdis.close());
  handover?.events.on('resume', () => remdis.open());
  lifetime.own('Remdis', () => remdis.close());
  // The next process connects to the programs itself; sound already received here is spoken to its end.
  handover?.events.on('retire', () => void relays.close());
  handover?.events.on('resume', () => relays.open());
  lifetime.own('the relayed programs', () => relays.close());
  const group = (agents = registry.list().filter(({ state }) => state !== 'absent')): AgentGroup =>
    new AgentGroup(agents, settings);
  lifetime.own('the listener', () => listener.close());
  lifetime.own('the avatars’ connections', () => {
    avatars.close();
    tcpAvatars.close();
  });
  lifetime.own('the voices', () => engines.close());
  lifetime.own('the agents', () => registry.close());

  try {
    await tcpAvatars.open(keeperClient);
  } catch (error) {
    await lifetime.close();
    throw error;
  }
  relays.open();
  remdis.open();

  const handle: BridgeHandle = {
    address,
    tcpAddresses: tcpAvatars.addresses,
    options: values,
    logger,
    clock,
    wheel,
    listener,
    engines,
    agent: (name) => registry.get(name),
    visitAgent: (name) => registry.visit(name),
    findAgent: (name) => registry.find(name),
    agents: () => registry.list(),
    group: (names) => group(names?.map((name) => registry.get(name))),
    visitGroup: (names) => group(names?.map((name) => registry.visit(name))),
    on: (event, listener) => events.on(event, listener),
    once: (event, listener) => events.once(event, listener),
    off: (event, listener) => events.off(event, listener),
    own: (name, close) => void lifetime.own(name, close),
    handover,
    drain: (deadlineMs) => within(clock, deadlineMs, (late) => registry.drain(late)),
    close: () => lifetime.close(),
  };
  handles.set(handle, handle);
  return handle;
}

/** Opens connections to programs that use the bridge as an avatar. The code is loaded only when an option asks for it. */
async function openRelays(
  { relay, relayListen }: Pick<OptionValues, 'relay' | 'relayListen'>,
  { registry, clock, logger }: { registry: AgentRegistry; clock: Clock; logger: Logger },
): Promise<{ open(): void; close(): Promise<void> }> {
  if (relay.length + relayListen.length === 0)
    return { open: () => undefined, close: () => Promise.resolve() };
  const { openRelay } = await import('./relay/relay.js');
  const addresses = [
    ...relay.map((text) => relayAddress(text)!),
    ...relayListen.map((text) => tcpAddress('listen', text)!),
  ];
  let opened: { close(): Promise<void> }[] = [];
  return {
    open: () => {
      opened = addresses.map((address) =>
        openRelay(address, { agent: registry.get(address.name), clock, logger }),
      );
    },
    close: async () => {
      await Promise.all(opened.splice(0).map((relay) => relay.close()));
    },
  };
}

/** Prepares Remdis over RabbitMQ. The code is loaded only when an option asks for it. */
async function prepareRemdis(
  values: Pick<OptionValues, 'remdis' | 'remdisConfig' | 'remdisText' | 'remdisHeard'>,
  { registry, clock, logger }: { registry: AgentRegistry; clock: Clock; logger: Logger },
): Promise<{ open(): void; close(): Promise<void> }> {
  const { remdis: url, remdisConfig, remdisText, remdisHeard } = values;
  if (url === undefined && remdisConfig === undefined)
    return { open: () => undefined, close: () => Promise.resolve() };
  const [{ Remdis }, { NO_MOTIONS, readRabbitMqConfig }] = await Promise.all([
    import('./remdis/remdis.js'),
    import('./remdis/motions.js'),
  ]);
  const config = remdisConfig === undefined ? NO_MOTIONS : await readRabbitMqConfig(remdisConfig);
  let joined: { close(): Promise<void> } | undefined;
  let unfollow: (() => void) | undefined;
  const agent = registry.get();
  const join = (): void => {
    const source = remdisText ? 'text' : 'sound';
    joined ??= new Remdis({ url, config, source, heardExchange: remdisHeard, agent, clock, logger });
  };
  return {
    // Opened when the avatar connects, as its own plugin would be; after a restart, once the previous process has left.
    open: () => {
      unfollow = agent.on('connected', join);
      if (agent.state !== 'absent' && !agent.handover) join();
    },
    close: async () => {
      unfollow?.();
      const left = joined;
      joined = undefined;
      await left?.close();
    },
  };
}
