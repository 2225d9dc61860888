import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { BridgeError, toBridgeError } from '../base/errors.js';
import type { Cue } from '../speech/cues.js';
import type { SpeechEventJson } from '../service/events.js';
import type { ServiceClient } from './client.js';

/** Maximum number of cues in one request. */
const MAX_CUES = 1000;

/** Last event of a speech, with its end. */
export type SpeechEnded = Extract<SpeechEventJson, { type: 'ended' }>;

/** A speech to request. */
export interface SpeechToSpeak {
  /** Value of `--agent`: a name, several separated by commas, or `all`. */
  readonly agent: string;
  /** Name in messages. */
  readonly label: string;
  readonly bytes: AsyncIterable<Uint8Array>;
  /** `speeches` (default) for a sound, `say` for text. */
  readonly route?: 'speeches' | 'say';
  /** Query of the route; for a sound in addition to its label. */
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly cues?: readonly Cue[];
  onEvent(event: SpeechEventJson): void;
}

/** A speech through the service: uploads the sound and receives events at the same time. */
export class SpeechRequest {
  /** Settles when the service has the whole sound, or wants no more of it. Never rejects. */
  readonly uploaded: Promise<void>;
  /** Settles at its first sound, or when there will be none. Never rejects. */
  readonly started: Promise<void>;
  /**
   * Settles with its end; of several avatars with the first incomplete end, if there is one.
   * @throws BridgeError when the request failed, the sound could not be read, or the service was lost
   */
  readonly ended: Promise<SpeechEnded>;
  readonly #client: ServiceClient;
  readonly #speech: SpeechToSpeak;
  /** Ids of the avatars' speeches. */
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

  /** True once the service has accepted it. */
  get accepted(): boolean {
    return this.#ids.length > 0;
  }

  /** True once it has ended in any way. */
  get over(): boolean {
    return this.#over;
  }

  /** Stops it; `ended` reports what was heard. Does nothing before the service has accepted it. */
  async stop(): Promise<void> {
    this.#stopped ??= Promise.all(this.#ids.map((id) => this.#stopOne(id)));
    await this.#stopped;
  }

  /** Adds a command at a time of the speech, once the service has accepted it. @throws BridgeError as answered by the service */
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
      // It has just ended.
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
        // All ends are known. The end of the connection, on which the sound may still be uploaded, adds nothing.
        if (++endings === this.#ids.length) break;
      }
    } catch (error) {
      // An unreadable sound aborts the upload; its own error is the better one.
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

  /** @throws errors of reading the sound; a service that wants no more of it is no error */
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
