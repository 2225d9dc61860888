/** Why there is no microphone, as a phrase of the page and what to do about it. */
export class MicrophoneError extends Error {
  /**
   * @param {'micRefused' | 'micNone' | 'micBusy' | 'micInsecure' | 'micFailed'} phrase
   * @param {unknown} [cause]
   */
  constructor(phrase, cause) {
    super(phrase, { cause });
    this.phrase = phrase;
  }
}

/** @type {Record<string, 'micRefused' | 'micNone' | 'micBusy'>} */
const PHRASES = {
  NotAllowedError: 'micRefused',
  SecurityError: 'micRefused',
  NotFoundError: 'micNone',
  OverconstrainedError: 'micNone',
  NotReadableError: 'micBusy',
  AbortError: 'micBusy',
};

/**
 * The browser's microphone while it is open. Its samples come at whatever rate the browser gives; nothing is done to
 * them here.
 */
export class Microphone {
  /** @type {((samples: Float32Array<ArrayBuffer>) => void) | undefined} */
  onSamples;
  /** The device was taken away, or the permission. @type {(() => void) | undefined} */
  onEnded;
  #stream;
  #context;

  /**
   * @param {MediaStream} stream
   * @param {AudioContext} context
   */
  constructor(stream, context) {
    this.#stream = stream;
    this.#context = context;
  }

  /**
   * Opens it; the browser may ask its user first.
   * @param {{ deviceId?: string, clean?: boolean }} options `clean`: the browser's noise suppression and level control
   * @throws {MicrophoneError}
   */
  static async open({ deviceId = '', clean = false }) {
    if (!navigator.mediaDevices?.getUserMedia) throw new MicrophoneError('micInsecure');
    /** @type {MediaStream | undefined} */
    let stream;
    /** @type {AudioContext | undefined} */
    let context;
    try {
      stream = await navigator.mediaDevices.getUserMedia({
        audio: {
          ...(deviceId && { deviceId: { ideal: deviceId } }),
          channelCount: { ideal: 1 },
          echoCancellation: false,
          noiseSuppression: clean,
          autoGainControl: clean,
        },
      });
      context = new AudioContext({ latencyHint: 'interactive' });
      await context.audioWorklet.addModule('/console/capture.js');
      const microphone = new Microphone(stream, context);
      await microphone.#connect();
      return microphone;
    } catch (error) {
      stream?.getTracks().forEach((track) => track.stop());
      void context?.close();
      const name = error instanceof Error ? error.name : '';
      throw new MicrophoneError(PHRASES[name] ?? 'micFailed', error);
    }
  }

  /** Samples a second. */
  get sampleRateHz() {
    return this.#context.sampleRate;
  }

  /** Lets it go; the browser's sign that it is open goes out. */
  close() {
    this.onSamples = undefined;
    this.#stream.getTracks().forEach((track) => track.stop());
    void this.#context.close();
  }

  async #connect() {
    const source = this.#context.createMediaStreamSource(this.#stream);
    const capture = new AudioWorkletNode(this.#context, 'capture', {
      numberOfInputs: 1,
      channelCount: 1,
      channelCountMode: 'explicit',
    });
    capture.port.onmessage = ({ data }) => this.onSamples?.(data);
    // Nothing comes out of it; connected to the end, it is run in every browser.
    source.connect(capture).connect(this.#context.destination);
    this.#stream.getAudioTracks()[0]?.addEventListener('ended', () => this.onEnded?.());
    await this.#context.resume();
  }
}
