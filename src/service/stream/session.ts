import type { Agent } from '../../agent/agent.js';
import { BridgeError } from '../../base/errors.js';
import type { ServiceContext } from '../context.js';
import { checked } from '../checked.js';
import { checkEngine } from '../engine-choice.js';
import type { NodeVerb } from '../nodes.js';
import { fromThrown, toProblem } from '../problem.js';
import { agentJson } from '../schemas.js';
import { sendCommands } from '../send-commands.js';
import { Flow } from './flow.js';
import {
  StreamClientMessageSchema,
  type StreamClientMessage,
  type StreamSay,
  type StreamServerMessage,
  type StreamStart,
} from './protocol.js';
import { StreamSpeech } from './stream-speech.js';

/** Client of a stream, as its session sees it. */
export interface StreamPeer {
  /** Address, for messages and logs. */
  readonly remote: string;
  /** True when it is on the service's own machine. */
  readonly isLocal: boolean;
  /** @throws BridgeError NODE_DENIED when it comes from a node without this permission */
  requireVerb(verb: NodeVerb): void;
  /** Bytes sent that it has not read. */
  readonly unsentBytes: number;
  send(text: string): void;
  /** Reads from it, or stops reading. */
  read(on: boolean): void;
  /** Cuts it off at once. */
  drop(): void;
}

/** Permission that a client of another node needs for a message. */
const VERBS: Readonly<Partial<Record<StreamClientMessage['type'], NodeVerb>>> = {
  start: 'speak',
  say: 'say',
  cue: 'send',
  commands: 'send',
  interrupt: 'control',
  stop: 'control',
  pause: 'control',
  resume: 'control',
  gain: 'control',
};

/** Session of one client on a stream: handles its messages and sends events. */
export class StreamSession {
  readonly #context: ServiceContext;
  readonly #agentName: string;
  readonly #peer: StreamPeer;
  readonly #flow: Flow;
  readonly #speeches = new Map<string, StreamSpeech>();
  /** Speech begun last, to which binary messages belong. */
  #last: StreamSpeech | undefined;
  /** True while sound without a speech is ignored: its `start` was refused, or its speech has ended. */
  #passingOver = false;
  /** Speech for which data of the wrong kind has arrived. */
  #mistaken: StreamSpeech | undefined;
  #commands = Promise.resolve();
  #gone = false;

  constructor(context: ServiceContext, agentName: string, peer: StreamPeer) {
    const { streamPauseBytes, streamShutBytes, maxStreamMessageBytes } = context.limits;
    this.#context = context;
    this.#agentName = agentName;
    this.#peer = peer;
    this.#flow = new Flow(
      { pauseBytes: streamPauseBytes, shutBytes: streamShutBytes },
      {
        pause: (paused) => this.#tell({ type: paused ? 'pause' : 'resume' }),
        shut: (shut) => peer.read(!shut),
      },
    );
    this.#tell({
      type: 'hello',
      agent: agentJson(this.#agent.snapshot()),
      maxMessageBytes: maxStreamMessageBytes,
    });
  }

  /** Bytes received and not taken yet. */
  get heldBytes(): number {
    return this.#flow.heldBytes;
  }

  /** Handles a text message. */
  text(text: string): void {
    let ref: string | undefined;
    try {
      const message = parse(text);
      ref = message.ref;
      this.#do(message);
    } catch (error) {
      this.#refuse(error, ref, null);
    }
  }

  /** Handles a binary message, which is sound. */
  sound(bytes: Uint8Array): void {
    if (this.#last?.isOpen && this.#last.takes === 'sound') return this.#last.push(bytes);
    this.#passOver('Sound', this.#last?.isOpen ? 'in the middle of a text' : 'without a start before it');
  }

  /**
   * Ends the session. Complete speeches continue; an incomplete one is stopped, unless the client closed the socket
   * cleanly, which means the same as `end`.
   */
  leave(orderly: boolean): void {
    this.#gone = true;
    for (const { isOpen, speech } of this.#speeches.values()) {
      if (!isOpen) continue;
      if (orderly) this.#last?.end();
      else void speech.stop();
      const what = orderly ? 'ends with what came' : 'is stopped';
      this.#context.bridge.logger.info(
        { agent: this.#agentName, speech: speech.id },
        `${speech.label} ${what}: its client went away before its end`,
      );
    }
  }

  #do(message: StreamClientMessage): void {
    const agent = this.#agent;
    const verb = VERBS[message.type];
    if (verb) this.#peer.requireVerb(verb);
    if ('cues' in message || 'tags' in message) this.#peer.requireVerb('send');
    switch (message.type) {
      case 'start':
        return this.#start(agent, message);
      case 'say':
        return this.#start(agent, message);
      case 'text':
        return this.#write(message.text);
      case 'end':
        this.#last?.end();
        this.#passingOver = false;
        return;
      case 'mark':
        return this.#open('mark').mark({ name: message.name, ref: message.ref });
      case 'cue': {
        const { atMs, send, always, id } = message;
        this.#speech(id).speech.cue(atMs, send, { always });
        return;
      }
      case 'commands':
        return this.#send(agent, message.commands, message.ref);
      case 'interrupt':
        agent.interrupt({ fadeMs: message.fadeMs }).then(
          ({ heardMs, dropped }) => this.#tell({ type: 'interrupted', ...refOf(message), heardMs, dropped }),
          (error: unknown) => this.#refuse(error, message.ref, null),
        );
        return;
      case 'stop': {
        const speeches = message.id === undefined ? [...this.#speeches.values()] : [this.#speech(message.id)];
        for (const { speech } of speeches) void speech.stop({ fadeMs: message.fadeMs });
        return;
      }
      case 'pause':
        return agent.pause();
      case 'resume':
        return agent.resume();
      case 'gain':
        return agent.setGainDb(message.gainDb);
    }
  }

  #start(agent: Agent, start: StreamStart | StreamSay): void {
    const { bridge, limits, metrics, open, closing } = this.#context;
    this.#last?.end();
    this.#passingOver = true;
    if (closing.aborted) throw closing.reason as BridgeError;
    if (start.type === 'say') checkEngine(bridge, start, this.#peer.isLocal);
    const made = new StreamSpeech({
      agent,
      start,
      clock: bridge.clock,
      flow: this.#flow,
      idleMs: limits.uploadIdleMs,
      maxLiveBytes: limits.streamPauseBytes / 2,
      label: `the stream of ${this.#peer.remote}`,
      tell: (message) => this.#tell(message),
      onDropped: (ms) => metrics.dropped(agent.name, ms),
    });
    const { speech } = made;
    this.#last = made;
    this.#speeches.set(speech.id, made);
    const ended = speech.finished.then(() => {
      this.#speeches.delete(speech.id);
      open.delete(speech);
    });
    open.set(speech, ended);
  }

  #write(text: string): void {
    if (this.#last?.isOpen && this.#last.takes === 'text') return this.#last.write(text);
    this.#passOver('Text', this.#last?.isOpen ? 'in the middle of a sound' : 'without a say before it');
  }

  /** Ignores data without a matching speech, with one warning. */
  #passOver(what: string, where: string): void {
    const speech = this.#last?.isOpen ? this.#last : undefined;
    if (speech ? speech === this.#mistaken : this.#passingOver) return;
    this.#mistaken = speech;
    if (!speech) this.#passingOver = true;
    const error = new BridgeError('REQUEST_INVALID', `${what} came ${where}; it is passed over.`);
    this.#refuse(error, undefined, null);
  }

  /** Sends commands in the order of their messages, even when the first of them have to wait. */
  #send(agent: Agent, commands: readonly string[], ref: string | undefined): void {
    for (const command of commands) agent.checkCommand(command);
    const { closing } = this.#context;
    this.#commands = this.#commands
      .then(() => sendCommands(agent, commands, { waitMs: 0, signal: closing }))
      .then(
        (results) => this.#tell({ type: 'commands', ...refOf({ ref }), results }),
        (error: unknown) => this.#refuse(error, ref, null),
      );
  }

  get #agent(): Agent {
    // Looked up each time: an unused agent is forgotten, and made again under its name.
    return this.#context.bridge.visitAgent(this.#agentName);
  }

  #open(what: string): StreamSpeech {
    if (this.#last?.isOpen) return this.#last;
    throw new BridgeError(
      'REQUEST_INVALID',
      `A ${what} came outside of a speech: send a start or a say before it.`,
    );
  }

  #speech(id: string | undefined): StreamSpeech {
    const speech = id === undefined ? this.#last : this.#speeches.get(id);
    if (speech) return speech;
    const which =
      id === undefined ? 'has begun no speech' : `has no speech ${JSON.stringify(id.slice(0, 40))}`;
    throw new BridgeError('SPEECH_UNKNOWN', `This stream ${which}.`);
  }

  #refuse(thrown: unknown, ref: string | undefined, speech: string | null): void {
    const error = fromThrown(thrown);
    if (error.code === 'INTERNAL') {
      const cause = error.cause ?? error;
      this.#context.bridge.logger.error(
        { agent: this.#agentName, error: cause instanceof Error ? cause.stack : cause },
        'a message of a stream failed',
      );
    }
    this.#tell({ type: 'error', ...refOf({ ref }), error: toProblem(error), speech });
  }

  #tell(message: StreamServerMessage): void {
    if (this.#gone) return;
    const { unsentBytes } = this.#peer;
    const { maxFollowerBytes } = this.#context.limits;
    // Positions are dropped early, as they are soon outdated; any other message that does not fit ends the session.
    if (message.type === 'position' && unsentBytes > maxFollowerBytes / 4) return;
    if (unsentBytes <= maxFollowerBytes) return this.#peer.send(JSON.stringify(message));
    this.#context.bridge.logger.warn(
      { agent: this.#agentName, remote: this.#peer.remote },
      'a stream was dropped: its client does not read what it is told',
    );
    this.#peer.drop();
  }
}

function parse(text: string): StreamClientMessage {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new BridgeError('REQUEST_INVALID', 'A text message was no JSON.');
  }
  return checked(StreamClientMessageSchema, json, 'A message');
}

function refOf({ ref }: { ref?: string | undefined }): { ref?: string } {
  return ref === undefined ? {} : { ref };
}
