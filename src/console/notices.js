import { el, setText } from './dom.js';
import { explain, t } from './i18n.js';

/**
 * @typedef {object} Notice
 * @property {'info' | 'warn' | 'danger'} level
 * @property {string} text
 * @property {string} [detail]
 * @property {string} [original] the service's own text, in English, if it differs
 * @property {string} [countdown] text that changes often; not read aloud
 * @property {{ text: string, run: () => void }} [action]
 * @property {boolean} [lasting] cannot be dismissed, and is removed when its cause is over
 * @property {number} [goneAfterMs]
 */

/** Important notices at the top of the page: one per cause, removed when the cause is over. */
export class Notices {
  #parent;
  /** @type {Map<string, { element: HTMLElement, key: string, timer: ReturnType<typeof setTimeout> | undefined }>} */
  #shown = new Map();

  /** @param {HTMLElement} parent */
  constructor(parent) {
    this.#parent = parent;
  }

  /**
   * Shows a notice, replacing the one with the same id.
   * @param {string} id
   * @param {Notice} notice
   */
  show(id, notice) {
    const { level, text, detail = '', original = '', countdown = '', action, lasting = false } = notice;
    const { goneAfterMs } = notice;
    const key = [level, text, detail, original, action?.text, lasting].join('\n');
    const shown = this.#shown.get(id);
    if (shown?.key === key) {
      const count = shown.element.querySelector('.countdown');
      if (count) setText(count, countdown);
      return;
    }
    this.clear(id);
    const element = el(
      'div',
      { class: `notice ${level}`, role: level === 'danger' ? 'alert' : 'status' },
      el(
        'p',
        {},
        el('strong', {}, text),
        detail && ` ${detail}`,
        original && el('small', { class: 'original', lang: 'en' }, original),
      ),
    );
    element.append(el('span', { class: 'countdown', 'aria-hidden': 'true' }, countdown));
    if (action) element.append(el('button', { type: 'button', click: () => action.run() }, action.text));
    if (!lasting) {
      const label = t('dismiss');
      element.append(
        el(
          'button',
          {
            type: 'button',
            class: 'quiet close',
            'aria-label': label,
            title: label,
            click: () => this.clear(id),
          },
          '×',
        ),
      );
    }
    const timer = goneAfterMs === undefined ? undefined : setTimeout(() => this.clear(id), goneAfterMs);
    this.#shown.set(id, { element, key, timer });
    this.#parent.append(element);
  }

  /** @param {string} id */
  clear(id) {
    const shown = this.#shown.get(id);
    if (!shown) return;
    clearTimeout(shown.timer);
    shown.element.remove();
    this.#shown.delete(id);
  }

  /** @param {string} id */
  has(id) {
    return this.#shown.has(id);
  }

  /**
   * Shows the error of a failed request.
   * @param {unknown} error
   * @param {string} [text]
   */
  failed(error, text = t('failed')) {
    const { what, advice, original } = explain(/** @type {Parameters<typeof explain>[0]} */ (error));
    const detail = `${what} ${advice}`.trim();
    this.show('failed', { level: 'warn', text, detail, original, goneAfterMs: 15_000 });
  }
}
