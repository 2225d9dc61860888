import { agentPath, ask } from './api.js';
import { byId } from './dom.js';
import { t } from './i18n.js';
import { outlineOf } from './preview.js';

/** Files of this page that may wait for their turn to be sent. */
const MAX_WAITING = 100;
/** Files under way at a time, in all pages. */
const LANES = 2;
/** A label as the API takes it. */
const MAX_LABEL = 200;

/**
 * @typedef {object} Upload
 * @property {string} id
 * @property {string} agent
 * @property {string} label
 * @property {File} file
 * @property {boolean} atOnce
 * @property {AbortController} abort
 * @property {boolean} sending
 * @property {Promise<import('./outline.js').Outline | undefined>} [outline] what is drawn of it before it is spoken
 * @property {string} [speech] as which the service has taken it on
 */

/**
 * Sends files to be spoken: those for one avatar one after the other, and few at a time over all pages of this browser. It
 * opens six connections to a service and no more, each page holds one for its events, and a stop must always get through.
 */
export class Files {
  /** @type {Upload[]} */
  uploads = [];
  #options;
  #count = 0;

  /**
   * @param {object} options
   * @param {() => string} options.agent
   * @param {() => boolean} options.atOnce
   * @param {() => void} options.onChange
   * @param {import('./notices.js').Notices} options.notices
   */
  constructor(options) {
    this.#options = options;
    const input = /** @type {HTMLInputElement} */ (byId('file-input'));
    byId('file-button').addEventListener('click', () => this.choose());
    input.addEventListener('change', () => {
      this.add([...(input.files ?? [])]);
      input.value = '';
    });
    this.#bindDrop();
  }

  /** Lets the user choose files. */
  choose() {
    byId('file-input').click();
  }

  /** @param {File[]} files */
  add(files) {
    const room = MAX_WAITING - this.uploads.length;
    for (const [i, file] of files.slice(0, room).entries()) {
      this.#count += 1;
      /** @type {Upload} */
      const upload = {
        id: `upload-${this.#count}`,
        agent: this.#options.agent(),
        label: file.name.replace(/\p{Cc}/gu, ' ').slice(0, MAX_LABEL) || 'file',
        file,
        atOnce: i === 0 && this.#options.atOnce(),
        abort: new AbortController(),
        sending: false,
      };
      this.uploads.push(upload);
      const send = () => this.#send(upload);
      // What interrupts must not wait for what it is to interrupt.
      const sent = upload.atOnce ? send() : inTurn(upload.agent, send);
      void sent.then(() => this.#remove(upload.id));
    }
    if (files.length > room) {
      this.#options.notices.show('uploads', {
        level: 'warn',
        text: t('uploadsFull', { count: MAX_WAITING }),
      });
    }
    this.#options.onChange();
  }

  /**
   * The service has taken a speech on: is it of a file of this page?
   * @param {{ agent: string, label: string, speech: string }} accepted
   * @returns {Promise<import('./outline.js').Outline | undefined> | undefined} its outline then
   */
  accepted({ agent, label, speech }) {
    const upload = this.uploads.find(
      (other) => other.sending && !other.speech && other.agent === agent && other.label === label,
    );
    if (!upload) return undefined;
    upload.speech = speech;
    return upload.outline;
  }

  /**
   * Takes one out, or breaks it off.
   * @param {string} id
   */
  cancel(id) {
    const upload = this.uploads.find((other) => other.id === id);
    upload?.abort.abort();
    this.#remove(id);
  }

  /**
   * Takes out all that wait for an agent; the one under way is the service's to stop.
   * @param {string} agent
   */
  cancelWaiting(agent) {
    this.uploads = this.uploads.filter((upload) => upload.sending || upload.agent !== agent);
    this.#options.onChange();
  }

  /** @param {Upload} upload */
  async #send(upload) {
    if (upload.abort.signal.aborted || !this.uploads.includes(upload)) return;
    upload.sending = true;
    upload.outline = outlineOf(upload.file);
    this.#options.onChange();
    const query = new URLSearchParams({ label: upload.label, when: upload.atOnce ? 'interrupt' : 'queue' });
    try {
      await ask('PUT', agentPath(upload.agent, `/speeches?${query}`), {
        body: upload.file,
        type: upload.file.type,
        signal: upload.abort.signal,
      });
    } catch (error) {
      const { code } = /** @type {{ code?: string }} */ (error);
      if (upload.abort.signal.aborted || code === 'SPEECH_STOPPED') return;
      // A refusal that comes early can be lost with its connection; what ended the speech has been told then.
      if (code === 'NO_ANSWER' && this.#options.notices.has('failed')) return;
      this.#options.notices.failed(error, upload.label);
    }
  }

  /** @param {string} id */
  #remove(id) {
    this.uploads = this.uploads.filter((other) => other.id !== id);
    this.#options.onChange();
  }

  #bindDrop() {
    const drop = byId('drop');
    const hasFiles = (/** @type {DragEvent} */ event) => event.dataTransfer?.types.includes('Files') ?? false;
    document.addEventListener('dragenter', (event) => {
      if (hasFiles(event)) drop.hidden = false;
    });
    document.addEventListener('dragover', (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      if (event.dataTransfer) event.dataTransfer.dropEffect = 'copy';
    });
    document.addEventListener('dragleave', (event) => {
      // It has left the window, not one element for another.
      if (event.relatedTarget === null) drop.hidden = true;
    });
    document.addEventListener('drop', (event) => {
      drop.hidden = true;
      if (!hasFiles(event)) return;
      // Whatever is dropped, the page must not be left for it.
      event.preventDefault();
      this.add([...(event.dataTransfer?.files ?? [])]);
    });
  }
}

/** @type {Map<string, Promise<void>>} */
const lastInLane = new Map();

/**
 * Does `work` after all that was to be done before for the same agent, in all pages of this browser where it can tell.
 * @param {string} agent
 * @param {() => Promise<void>} work
 * @returns {Promise<void>}
 */
function inTurn(agent, work) {
  const sum = [...agent].reduce((total, letter) => total + (letter.codePointAt(0) ?? 0), 0);
  const lane = `mmdagent-bridge.upload-${sum % LANES}`;
  if (navigator.locks) return navigator.locks.request(lane, work);
  const done = (lastInLane.get(lane) ?? Promise.resolve()).then(work);
  lastInLane.set(lane, done);
  return done;
}
