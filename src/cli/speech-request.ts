import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { BridgeError, toBridgeError } from '../base/errors.js';
import type { Cue } from '../speech/cues.js';
import type { SpeechEventJson } from '../service/events.js';
import type { ServiceClient } from './client.js';

/** Cues that the service takes in one request. */
const MAX_CUES = 1000;

/** How a speech ended, as its last event tells it. */
export type SpeechEnded = Extract<SpeechEventJson, { type: 'ended' }>;

/** What is to be spoken. */
export interface SpeechToSpeak {
  /** As `--agent` has it: a name, several with commas between them, or `all`. */
  readonly agent: string;
  /** How messages name it. */
  readonly label: string;
  readonly bytes: AsyncIterable<Uint8Array>;
  /** `speeches` for a sound, `say` for text; `speeches` by default. */
  readonly route?: 'speeches' | 'say';
  /** Query of the route; of a sound beside its label. */
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly cues?: readonly Cue[];
  onEvent(event: SpeechEventJson): void;
}

/** A speech that goes through the service: the sound up, what happens down, at the same time. */
export class SpeechRequest {
  /** Settles when the service has all of the sound, or wants no more of it. Never rejects. */
  readonly uploaded: Promise<void>;
  /** Settles at its first sound, or when there will be none. Never rejects. */
  readonly started: Promise<void>;
  /**
   * Settles with how it ended; of several avatars with the end of the first that did not hear it all, if there is one.
   * @throws BridgeError when it could not be asked for, the sound could not be read, or the service is gone
   */
  readonly ended: Promise<SpeechEnded>;
  readonly #client: ServiceClient;
  readonly #speech: SpeechToSpeak;
  /** Of each avatar's speech. */
  readonly #ids: string[] = [];
  #over = false;
  #stopped: Promise<unknown> | undefined;
  readonly #taken: Promise<void>;
  #settleTaken!: () => void;
  #settleUploaded!: () => void;
  #settleStarted!: () => void;

  constructor(client: ServiceClient, speech: SpeechToSpeak) {
    this.#client = client;
    this.#speech = speech;
    this.#taken = new Promise((resolve) => (this.#settleTaken = resolve));
    this.uploaded = new Promise((resolve) => (this.#settleUploaded = resolve));
    this.started = new Promise((resolve) => (this.#settleStarted = resolve));
    this.ended = this.#run().finally(() => {
      this.#over = true;
      this.#settleTaken();
      this.#settleUploaded();
      this.#settleStarted();
    });
    this.ended.catch(() => undefined);
  }

  /** True once the service has taken it on. */
  get accepted(): boolean {
    return this.#ids.length > 0;
  }

  /** True once it has ended, however it did. */
  get over(): boolean {
    return this.#over;
  }

  /** Stops it; `ended` tells what was heard. Before the service has taken it on it does nothing. */
  async stop(): Promise<void> {
    this.#stopped ??= Promise.all(this.#ids.map((id) => this.#stopOne(id)));
    await this.#stopped;
  }

  /** Adds a command at a moment of it, once the service has taken it on. @throws BridgeError as the service answers it */
  async cue(cue: Cue): Promise<void> {
    await this.#taken;
    await Promise.all(
      this.#ids.map((id) => this.#client.post(`${this.#path}/speeches/${id}/cues`, { cues: [cue] })),
    );
  }

  async #stopOne(id: string): Promise<void> {
    try {
      await this.#client.delete(`${this.#path}/speeches/${id}`);
    } catch (error) {
      // It has ended in this very moment.
      if (!(error instanceof BridgeError && error.code === 'SPEECH_UNKNOWN')) throw error;
    }
  }

  get #path(): string {
    return `/api/agents/${encodeURIComponent(this.#speech.agent)}`;
  }

  async #run(): Promise<SpeechEnded> {
    const { label, query = {}, cues = [], route = 'speeches', onEvent } = this.#speech;
    const search = new URLSearchParams(route === 'say' ? {} : { label });
    for (const [key, value] of Object.entries(query)) {
      if (value !== undefined) search.set(key, String(value));
    }
    const open = this.#client.open('POST', `${this.#path}/${route}?${search.toString()}`, {
      accept: 'application/x-ndjson',
      'content-type': route === 'say' ? 'text/plain; charset=utf-8' : 'application/octet-stream',
    });
    open.request.flushHeaders();
    let source: BridgeError | undefined;
    const watch = (sent: Promise<void>): void => {
      void sent.catch((error: unknown) => {
        source = toBridgeError(error, 'SOURCE_FAILED', `${label} could not be read`);
        open.request.destroy();
      });
    };
    // The service looks at the first bytes before it takes the sound on. Cues have to be there before the sound is.
    const uploadsFirst = cues.length === 0;
    if (uploadsFirst) watch(this.#upload(open.request));
    let ended: SpeechEnded | undefined;
    let endings = 0;
    try {
      const response = await this.#client.answer(open);
      for await (const line of this.#client.lines(response)) {
        const event = line as SpeechEventJson;
        if (event.type === 'accepted') {
          this.#ids.push(event.speech);
          this.#settleTaken();
          const taken = this.#sendCues(event.speech);
          const uploads = !uploadsFirst && this.#ids.length === 1;
          watch(uploads ? taken.then(() => this.#upload(open.request)) : taken);
        }
        if (event.type === 'state' && event.state === 'speaking') this.#settleStarted();
        onEvent(event);
        if (event.type !== 'ended') continue;
        if (!ended || ended.how === 'completed') ended = event;
        // All is said. How the connection ends, on which the sound may still go up, says nothing more.
        if (++endings === this.#ids.length) break;
      }
    } catch (error) {
      // A sound that cannot be read cuts the upload off: what was wrong here is the better answer.
      throw source ?? error;
    } finally {
      open.request.destroy();
    }
    if (source !== undefined && ended?.how !== 'stopped') throw source;
    if (!ended) throw new BridgeError('SERVICE_LOST', `The service ended the answer before ${label} did.`);
    return ended;
  }

  async #sendCues(id: string): Promise<void> {
    const { cues = [] } = this.#speech;
    for (let at = 0; at < cues.length; at += MAX_CUES) {
      const some = cues.slice(at, at + MAX_CUES);
      await this.#client.post(`${this.#path}/speeches/${id}/cues`, { cues: some });
    }
  }

  /** @throws what the sound's own reading throws; that nobody wants the rest is no error */
  async #upload(request: NodeJS.WritableStream): Promise<void> {
    const { bytes } = this.#speech;
    let failure: Error | undefined;
    const watched = async function* (): AsyncGenerator<Uint8Array, void, undefined> {
      try {
        yield* bytes;
      } catch (error) {
        failure = error as Error;
        throw error;
      }
    };
    try {
      await pipeline(Readable.from(watched(), { objectMode: false }), request);
    } catch {
      if (failure !== undefined) throw failure;
    } finally {
      this.#settleUploaded();
    }
  }
}
