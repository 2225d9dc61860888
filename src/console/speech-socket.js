import { agentPath } from './api.js';

/** Maximum sound kept while the socket opens or is congested, in ms; the rest is dropped and counted. */
const MAX_WAITING_MS = 2000;

/**
 * One live speech over the API's WebSocket, sent as it is made.
 * @typedef {object} SpeechSocketHandlers
 * @property {(message: any) => void} onMessage called with each message of the service
 * @property {(reason: string) => void} onClosed called at the end; the reason is empty after a success
 * @property {(droppedMs: number) => void} onDropped called after a drop, with the total
 */
export class SpeechSocket {
  #socket;
  #start;
  #handlers;
  #bytesPerMs;
  /** @type {(Float32Array<ArrayBuffer>)[]} */
  #waiting = [];
  #waitingBytes = 0;
  #droppedBytes = 0;
  #open = false;
  #finished = false;
  #ended = false;

  /**
   * @param {string} agent
   * @param {{ sampleRateHz: number, label: string, when: 'queue' | 'interrupt' }} options
   * @param {SpeechSocketHandlers} handlers
   */
  constructor(agent, { sampleRateHz, label, when }, handlers) {
    this.#handlers = handlers;
    this.#bytesPerMs = (sampleRateHz * Float32Array.BYTES_PER_ELEMENT) / 1000;
    this.#start = { type: 'start', format: `f32le:${sampleRateHz}:1`, live: true, label, when };
    const address = new URL(agentPath(agent, '/stream'), location.href);
    address.protocol = address.protocol.replace('http', 'ws');
    this.#socket = new WebSocket(address);
    this.#socket.onopen = () => this.#onOpen();
    this.#socket.onmessage = ({ data }) => this.#onMessage(JSON.parse(data));
    this.#socket.onclose = ({ code, reason }) =>
      this.#handlers.onClosed(this.#ended ? '' : reason || `The stream was closed (${code}).`);
  }

  /** True once the service has reported the end. */
  get ended() {
    return this.#ended;
  }

  /** @param {Float32Array<ArrayBuffer>} samples */
  send(samples) {
    if (this.#finished) return;
    const stuckBytes = this.#open ? this.#socket.bufferedAmount : this.#waitingBytes;
    if (stuckBytes > MAX_WAITING_MS * this.#bytesPerMs) {
      this.#droppedBytes += samples.byteLength;
      this.#handlers.onDropped(this.#droppedBytes / this.#bytesPerMs);
    } else if (this.#open) this.#socket.send(samples);
    else {
      this.#waiting.push(samples);
      this.#waitingBytes += samples.byteLength;
    }
  }

  /** Ends the sound; it is spoken to its last sample. */
  finish() {
    if (this.#finished) return;
    this.#finished = true;
    if (this.#open) this.#say({ type: 'end' });
  }

  /** Stops the speech at once. */
  stop() {
    this.#finished = true;
    // Any code but 1000 stops the speech.
    this.#socket.close(4000, 'stopped');
  }

  #onOpen() {
    this.#open = true;
    this.#say(this.#start);
    for (const samples of this.#waiting) this.#socket.send(samples);
    this.#waiting = [];
    if (this.#finished) this.#say({ type: 'end' });
  }

  /** @param {any} message */
  #onMessage(message) {
    this.#handlers.onMessage(message);
    if (message.type === 'ended') {
      this.#ended = true;
      this.#socket.close(1000);
    } else if (message.type === 'error') {
      this.#ended = true;
      this.#socket.close(4000, 'refused');
    }
  }

  /** @param {object} message */
  #say(message) {
    this.#socket.send(JSON.stringify(message));
  }
}
