import { clockText, el, setText, byId } from './dom.js';
import { t } from './i18n.js';

/** Maximum number of rows shown; a queue may have thousands of entries. */
const MAX_ROWS = 40;

/** List of the current speech, the waiting ones, and the files still to be sent. */
export class QueueView {
  #list = byId('queue');
  #options;
  #shown = '';

  /**
   * @param {object} options
   * @param {(speech: string) => void} options.onStop
   * @param {(upload: string) => void} options.onCancel
   */
  constructor(options) {
    this.#options = options;
  }

  /**
   * @param {import('./model.js').AgentView | undefined} agent
   * @param {import('./files.js').Upload[]} uploads
   */
  render(agent, uploads) {
    const own = uploads.filter((upload) => upload.agent === agent?.name && !upload.sending);
    const rows = [
      ...(agent?.speeches ?? []).map(({ id, label, state, durationMs }) => ({
        id,
        label,
        state,
        length: durationMs === null ? '' : clockText(durationMs),
        run: () => this.#options.onStop(id),
      })),
      ...own.map(({ id, label }) => ({
        id,
        label,
        state: 'uploading',
        length: '',
        run: () => this.#options.onCancel(id),
      })),
    ];
    setText(byId('queue-count'), rows.length > 0 ? String(rows.length) : '');
    const key = JSON.stringify([t('stop'), rows.slice(0, MAX_ROWS), rows.length]);
    if (key === this.#shown) return;
    this.#shown = key;
    const focused = document.activeElement?.closest('#queue li')?.getAttribute('data-id');
    this.#list.replaceChildren(...rows.slice(0, MAX_ROWS).map(rowOf));
    if (rows.length === 0) this.#list.append(el('li', { class: 'empty' }, t('queueEmpty')));
    if (rows.length > MAX_ROWS)
      this.#list.append(el('li', { class: 'empty' }, t('queueMore', { count: rows.length - MAX_ROWS })));
    // The rows were rebuilt; keep the focus on the button that had it.
    if (!focused) return;
    const button = this.#list.querySelector(`[data-id="${CSS.escape(focused)}"] button`);
    /** @type {HTMLElement | null} */ (button)?.focus();
  }
}

/** @param {{ id: string, label: string, state: string, length: string, run: () => void }} row */
function rowOf({ id, label, state, length, run }) {
  return el(
    'li',
    { 'data-id': id, class: state },
    el('span', { class: 'dot', 'aria-hidden': 'true' }),
    el('span', { class: 'label', title: label }, label),
    el('span', { class: 'when' }, [t(`state_${state}`), length].filter(Boolean).join(' · ')),
    el(
      'button',
      { type: 'button', class: 'quiet small', 'aria-label': t('stopOf', { label }), click: run },
      t('stop'),
    ),
  );
}
