/** Reason why there is no microphone, as a phrase of the page. */
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
 * The browser's microphone while it is open. Samples arrive unchanged, at the browser's own rate.
 */
export class Microphone {
  /** @type {((samples: Float32Array<ArrayBuffer>) => void) | undefined} */
  onSamples;
  /** Called when the device or the permission was taken away. @type {(() => void) | undefined} */
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
   * Opens the microphone; the browser may ask its user first.
   * @param {{ deviceId?: string, clean?: boolean }} options `clean` uses the browser's noise suppression and gain control
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

  /** Sample rate, in Hz. */
  get sampleRateHz() {
    return this.#context.sampleRate;
  }

  /** Closes the microphone; the browser's recording sign disappears. */
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
    // It has no output, but only a node connected to the destination runs in every browser.
    source.connect(capture).connect(this.#context.destination);
    this.#stream.getAudioTracks()[0]?.addEventListener('ended', () => this.onEnded?.());
    await this.#context.resume();
  }
}
