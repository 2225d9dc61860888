import { byId, el, setAttribute, setText } from './dom.js';
import { explain, onLanguage, remembered, t } from './i18n.js';
import { Microphone, MicrophoneError } from './microphone.js';
import { SpeechSocket } from './speech-socket.js';

/** Time that is still sent after the button is released, in ms. */
const TAIL_MS = 120;
/** Time that the microphone stays open after use, in ms, so that the next word is not cut. */
const STAYS_OPEN_MS = 20_000;

/** @typedef {import('./notices.js').Notices} Notices */
/** @typedef {'off' | 'opening' | 'armed' | 'onAir' | 'waiting'} TalkState */

/** Speech from the browser's microphone: push-to-talk, or live until it is switched off. */
export class Talk {
  #hold = byId('hold');
  #live = byId('live');
  #meter = /** @type {HTMLMeterElement} */ (byId('mic-level'));
  #device = /** @type {HTMLSelectElement} */ (byId('mic-device'));
  #clean = /** @type {HTMLInputElement} */ (byId('mic-clean'));
  #options;
  /** Requested mode, whether it has begun or not. @type {'hold' | 'live' | undefined} */
  #wanted;
  /** @type {Microphone | undefined} */
  #microphone;
  /** @type {Promise<void> | undefined} */
  #opening;
  /** @type {SpeechSocket | undefined} */
  #socket;
  /** @type {TalkState} */
  #state = 'off';
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #closeTimer;
  #loudest = 0;
  /** Counter of presses, which assigns the result of a wait to its own press. */
  #press = 0;
  #hint = '';

  /**
   * @param {object} options
   * @param {() => string} options.agent
   * @param {Notices} options.notices
   * @param {(text: string) => void} options.announce
   */
  constructor(options) {
    this.#options = options;
    this.#bindHold();
    this.#live.addEventListener('click', () => this.toggleLive());
    // A phone in a room or a street needs noise suppression; a desk microphone sounds better without.
    const { matches: inHand } = matchMedia('(pointer: coarse)');
    this.#clean.checked = (remembered('mic-clean') ?? String(inHand)) === 'true';
    this.#clean.addEventListener('change', () => {
      remembered('mic-clean', String(this.#clean.checked));
      this.#release();
    });
    this.#device.addEventListener('change', () => {
      remembered('mic-device', this.#device.value);
      this.#release();
    });
    navigator.mediaDevices?.addEventListener?.('devicechange', () => void this.#listDevices());
    setInterval(() => this.#showLevel(), 100);
    onLanguage(() => this.#render());
    this.#render();
  }

  /** True while the microphone is sent, or will be. */
  get active() {
    return this.#wanted !== undefined;
  }

  /** Starts push-to-talk, until `endHold`. */
  beginHold() {
    if (this.#wanted === undefined) void this.#begin('hold');
  }

  endHold() {
    if (this.#wanted === 'hold') this.#end();
  }

  toggleLive() {
    if (this.#wanted === 'live') this.#end();
    else if (this.#wanted === undefined) void this.#begin('live');
  }

  #bindHold() {
    const hold = this.#hold;
    hold.addEventListener('pointerdown', (event) => {
      if (event.button !== 0) return;
      // The button keeps the pointer until it is released, wherever it moves.
      hold.setPointerCapture(event.pointerId);
      this.beginHold();
    });
    for (const end of ['pointerup', 'pointercancel', 'lostpointercapture'])
      hold.addEventListener(end, () => this.endHold());
    hold.addEventListener('contextmenu', (event) => event.preventDefault());
    hold.addEventListener('keydown', (event) => {
      if (event.key !== ' ' && event.key !== 'Enter') return;
      event.preventDefault();
      if (!event.repeat) this.beginHold();
    });
    hold.addEventListener('keyup', (event) => {
      if (event.key === ' ' || event.key === 'Enter') this.endHold();
    });
    hold.addEventListener('blur', () => this.endHold());
    // A key released in another window gives no keyup event.
    window.addEventListener('blur', () => this.endHold());
  }

  /** @param {'hold' | 'live'} mode */
  async #begin(mode) {
    this.#wanted = mode;
    const press = (this.#press += 1);
    this.#hint = '';
    clearTimeout(this.#closeTimer);
    const agent = this.#options.agent();
    try {
      if (!this.#microphone) {
        this.#enter('opening');
        await (this.#opening ??= this.#open().finally(() => (this.#opening = undefined)));
      }
    } catch (error) {
      if (press !== this.#press) return;
      this.#wanted = undefined;
      this.#enter('off');
      this.#refused(error);
      return;
    }
    if (press !== this.#press) return;
    if (this.#wanted !== mode) {
      // The button was released during the browser's question; next time the microphone is ready at once.
      this.#hint = t('micReady');
      this.#enter('armed');
      this.#closeLater();
      return;
    }
    this.#options.notices.clear('microphone');
    this.#speak(agent);
  }

  async #open() {
    const microphone = await Microphone.open({
      deviceId: remembered('mic-device') ?? '',
      clean: this.#clean.checked,
    });
    this.#microphone = microphone;
    microphone.onEnded = () => {
      this.#release();
      this.#refused(new MicrophoneError('micNone'));
    };
    void this.#listDevices();
  }

  /** @param {string} agent */
  #speak(agent) {
    const microphone = /** @type {Microphone} */ (this.#microphone);
    const before = this.#socket;
    const socket = new SpeechSocket(
      agent,
      {
        sampleRateHz: microphone.sampleRateHz,
        label: t('micLabel'),
        // A new word waits for the end of one's own speech, and interrupts any other.
        when: before && !before.ended ? 'queue' : 'interrupt',
      },
      {
        onMessage: (message) => this.#onMessage(socket, message),
        onClosed: (reason) => this.#onClosed(socket, reason),
        onDropped: (droppedMs) =>
          this.#options.notices.show('mic-slow', {
            level: 'warn',
            text: t('micSlow', { ms: Math.round(droppedMs) }),
            goneAfterMs: 15_000,
          }),
      },
    );
    this.#socket = socket;
    microphone.onSamples = (samples) => {
      for (const sample of samples) {
        const magnitude = Math.abs(sample);
        if (magnitude > this.#loudest) this.#loudest = magnitude;
      }
      socket.send(samples);
    };
    this.#enter('onAir');
  }

  #end() {
    this.#wanted = undefined;
    const { socket, microphone } = { socket: this.#socket, microphone: this.#microphone };
    if (this.#state === 'opening') return this.#render();
    this.#enter(this.#microphone ? 'armed' : 'off');
    const samples = microphone?.onSamples;
    setTimeout(() => {
      if (microphone && microphone.onSamples === samples) microphone.onSamples = undefined;
      socket?.finish();
    }, TAIL_MS);
    this.#closeLater();
  }

  #closeLater() {
    clearTimeout(this.#closeTimer);
    this.#closeTimer = setTimeout(() => this.#release(), STAYS_OPEN_MS);
  }

  /** Ends the speech, and closes the microphone. */
  #release() {
    if (this.#wanted !== undefined) {
      this.#wanted = undefined;
      this.#socket?.finish();
    }
    this.#microphone?.close();
    this.#microphone = undefined;
    if (this.#state !== 'opening') this.#enter('off');
  }

  /**
   * @param {SpeechSocket} socket
   * @param {any} message
   */
  #onMessage(socket, message) {
    if (message.type === 'error') this.#failed(socket, message.error);
    if (socket !== this.#socket || this.#wanted === undefined) return;
    if (message.type === 'waiting') this.#enter('waiting');
    else if (message.type === 'state' && message.state === 'speaking') this.#enter('onAir');
    else if (message.type === 'ended') {
      // Another user stopped it, or the avatar was lost.
      if (message.how !== 'stopped') this.#failed(socket, message.error);
      this.#end();
    }
  }

  /**
   * @param {SpeechSocket} socket
   * @param {string} reason
   */
  #onClosed(socket, reason) {
    if (socket !== this.#socket || this.#wanted === undefined) return;
    if (reason) this.#failed(socket, { code: 'STREAM_CLOSED', detail: reason, advice: '' });
    this.#end();
  }

  /**
   * @param {SpeechSocket} socket
   * @param {{ detail: string, advice: string, code?: string } | null} problem
   */
  #failed(socket, problem) {
    if (!problem || socket !== this.#socket) return;
    const { what, advice, original } = explain(problem);
    this.#options.notices.show('microphone', {
      ...{ level: 'warn', text: t('failed') },
      ...{ detail: `${what} ${advice}`, original, goneAfterMs: 15_000 },
    });
  }

  /** @param {unknown} error */
  #refused(error) {
    const phrase = error instanceof MicrophoneError ? error.phrase : 'micFailed';
    const cause = error instanceof MicrophoneError ? error.cause : error;
    const detail =
      phrase === 'micRefused' ? t('micRefusedHelp') : phrase === 'micFailed' ? String(cause ?? '') : '';
    this.#options.notices.show('microphone', { level: 'danger', text: t(phrase), detail });
  }

  async #listDevices() {
    const devices = (await navigator.mediaDevices.enumerateDevices()).filter(
      ({ kind, deviceId }) => kind === 'audioinput' && deviceId !== 'default' && deviceId !== '',
    );
    byId('mic-device-label').hidden = devices.length < 2;
    this.#device.replaceChildren(
      el('option', { value: '' }, t('micDefault')),
      ...devices.map(({ deviceId, label }) =>
        el('option', { value: deviceId }, label || deviceId.slice(0, 8)),
      ),
    );
    this.#device.value = remembered('mic-device') ?? '';
    if (this.#device.selectedIndex < 0) this.#device.value = '';
  }

  /** @param {TalkState} state */
  #enter(state) {
    this.#state = state;
    this.#render();
  }

  #render() {
    const sends = this.#state === 'onAir' || this.#state === 'waiting';
    setAttribute(this.#hold, 'aria-pressed', String(this.#wanted === 'hold'));
    setAttribute(this.#live, 'aria-pressed', String(this.#wanted === 'live'));
    setAttribute(document.documentElement, 'data-on-air', String(sends));
    setText(byId('hold-text'), t(this.#wanted === 'hold' && sends ? 'talking' : 'holdToTalk'));
    const phrases = {
      off: 'micOff',
      opening: 'micOpening',
      armed: 'micArmed',
      onAir: 'micOnAir',
      waiting: 'micWaiting',
    };
    setText(byId('mic-state'), this.#hint || t(phrases[this.#state]));
  }

  #showLevel() {
    const dbfs = this.#loudest > 0 ? 20 * Math.log10(this.#loudest) : -60;
    this.#meter.value = Math.max(-60, Math.min(0, dbfs));
    this.#loudest = 0;
  }
}
