import { byId, el } from './dom.js';
import { onLanguage, remembered, t } from './i18n.js';

/**
 * Single-key shortcuts. They are inactive in text fields, under a dialog, and when switched off.
 * @typedef {object} Key
 * @property {string} key
 * @property {string} phrase description of the action
 * @property {() => void} down
 * @property {() => void} [up]
 */
export class Keys {
  #keys;
  #dialog = /** @type {HTMLDialogElement} */ (byId('keys'));
  #on = /** @type {HTMLInputElement} */ (byId('keys-on'));
  /** @type {Set<string>} */
  #held = new Set();

  /** @param {Key[]} keys */
  constructor(keys) {
    this.#keys = [...keys, { key: '?', phrase: 'key_help', down: () => this.#dialog.showModal() }];
    this.#on.checked = remembered('keys') !== 'off';
    this.#on.addEventListener('change', () => void remembered('keys', this.#on.checked ? 'on' : 'off'));
    byId('help').addEventListener('click', () => this.#dialog.showModal());
    document.addEventListener('keydown', (event) => this.#onDown(event));
    document.addEventListener('keyup', (event) => this.#release(event.key.toLowerCase()));
    window.addEventListener('blur', () => [...this.#held].forEach((key) => this.#release(key)));
    onLanguage(() => this.#render());
    this.#render();
  }

  /** @param {KeyboardEvent} event */
  #onDown(event) {
    if (!this.#on.checked || this.#dialog.open || event.isComposing) return;
    if (event.ctrlKey || event.altKey || event.metaKey || inField(event.target)) return;
    const key = event.key.toLowerCase();
    const found = this.#keys.find((other) => other.key === key);
    if (!found) return;
    event.preventDefault();
    if (event.repeat || this.#held.has(key)) return;
    if (found.up) this.#held.add(key);
    found.down();
  }

  /** @param {string} key */
  #release(key) {
    if (this.#held.delete(key)) this.#keys.find((other) => other.key === key)?.up?.();
  }

  #render() {
    byId('keys-list').replaceChildren(
      ...this.#keys.flatMap(({ key, phrase }) => [
        el('dt', {}, el('kbd', {}, key.toUpperCase())),
        el('dd', {}, t(phrase)),
      ]),
    );
  }
}

/** @param {EventTarget | null} target */
function inField(target) {
  return (
    target instanceof Element &&
    target.closest('input:not([type=checkbox], [type=range]), textarea, select') !== null
  );
}
