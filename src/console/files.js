import { agentPath, ask } from './api.js';
import { byId } from './dom.js';
import { t } from './i18n.js';
import { outlineOf } from './preview.js';

/** Maximum number of files of this page waiting to be sent. */
const MAX_WAITING = 100;
/** Maximum number of files sent at a time, over all pages. */
const LANES = 2;
/** Maximum label length in the API. */
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
 * @property {Promise<import('./outline.js').Outline | undefined>} [outline] preview shown before the file is spoken
 * @property {string} [speech] id of the speech, once accepted by the service
 */

/**
 * Sends files to be spoken: one after the other for each avatar, and few at a time over all pages of this browser. The
 * browser opens only six connections to a service, each page uses one for its events, and a stop must always get through.
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
      // A file that interrupts must not wait for the one it interrupts.
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
   * Matches an accepted speech with a file of this page.
   * @param {{ agent: string, label: string, speech: string }} accepted
   * @returns {Promise<import('./outline.js').Outline | undefined> | undefined} outline of the file, if it matches
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
   * Removes a waiting file, or aborts its upload.
   * @param {string} id
   */
  cancel(id) {
    const upload = this.uploads.find((other) => other.id === id);
    upload?.abort.abort();
    this.#remove(id);
  }

  /**
   * Removes all waiting files of an agent. The one being spoken is stopped by the service.
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
      // An early refusal can be lost with its connection; the reason was shown by the event of the speech then.
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
      // The pointer has left the window, not only moved to another element.
      if (event.relatedTarget === null) drop.hidden = true;
    });
    document.addEventListener('drop', (event) => {
      drop.hidden = true;
      if (!hasFiles(event)) return;
      // A drop must never make the browser leave the page.
      event.preventDefault();
      this.add([...(event.dataTransfer?.files ?? [])]);
    });
  }
}

/** @type {Map<string, Promise<void>>} */
const lastInLane = new Map();

/**
 * Runs `work` after all earlier work for the same agent, over all pages of this browser where locks are available.
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
