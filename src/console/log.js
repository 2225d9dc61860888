import { byId, el, setAttribute, setText, withNextFrame } from './dom.js';
import { onLanguage, t } from './i18n.js';
import { Ring } from './ring.js';

/** @typedef {import('./lines.js').LogLine} LogLine */

/** Maximum number of lines; the oldest are dropped. */
const KEPT = 1000;
/** @type {LogLine['kind'][]} */
const KINDS = ['message', 'sent', 'speech', 'agent'];

/** Message log with filters and a pause. */
export class Log {
  #list = byId('log');
  #filter = /** @type {HTMLInputElement} */ (byId('log-filter'));
  #pauseButton = byId('log-pause');
  /** @type {Ring<LogLine>} */
  #lines = new Ring(KEPT);
  /** Lines not shown yet. @type {LogLine[]} */
  #fresh = [];
  #paused = false;
  #missed = 0;
  #agent = '';
  /** @type {Set<string>} */
  #hidden = new Set();
  #draw = withNextFrame(() => this.#append());

  constructor() {
    this.#filter.addEventListener('input', () => this.#rebuild());
    this.#pauseButton.addEventListener('click', () => this.#pause(!this.#paused));
    byId('log-clear').addEventListener('click', () => {
      this.#lines.clear();
      this.#rebuild();
    });
    this.#renderKinds();
    this.#renderPause();
    onLanguage(() => {
      this.#renderKinds();
      this.#renderPause();
      this.#rebuild();
    });
  }

  focusFilter() {
    this.#filter.focus();
    this.#filter.select();
  }

  /**
   * Shows the lines of one agent, and those for all agents.
   * @param {string} agent
   */
  showAgent(agent) {
    if (agent === this.#agent) return;
    this.#agent = agent;
    this.#rebuild();
  }

  /** @param {LogLine} line */
  add(line) {
    this.#lines.push(line);
    if (this.#paused) {
      if (this.#shows(line)) this.#missed += 1;
      this.#renderPause();
      return;
    }
    this.#fresh.push(line);
    if (this.#fresh.length > KEPT) this.#fresh.shift();
    this.#draw();
  }

  /** @param {boolean} paused */
  #pause(paused) {
    this.#paused = paused;
    this.#missed = 0;
    if (!paused) this.#rebuild();
    this.#renderPause();
  }

  #append() {
    const fresh = this.#fresh.filter((line) => this.#shows(line));
    this.#fresh = [];
    if (fresh.length === 0) return;
    const list = this.#list;
    const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 24;
    list.append(...fresh.map(rowOf));
    while (list.children.length > KEPT) list.firstElementChild?.remove();
    if (atEnd) list.scrollTop = list.scrollHeight;
  }

  #rebuild() {
    this.#fresh = [];
    this.#list.replaceChildren(...[...this.#lines].filter((line) => this.#shows(line)).map(rowOf));
    this.#list.scrollTop = this.#list.scrollHeight;
  }

  /** @param {LogLine} line */
  #shows({ agent, kind, text }) {
    if (this.#hidden.has(kind) || (agent !== '' && this.#agent !== '' && agent !== this.#agent)) return false;
    return text.toLowerCase().includes(this.#filter.value.trim().toLowerCase());
  }

  #renderKinds() {
    byId('log-kinds').replaceChildren(
      ...KINDS.map((kind) =>
        el(
          'button',
          {
            type: 'button',
            class: `tag ${kind}`,
            'aria-pressed': String(!this.#hidden.has(kind)),
            click: (event) => {
              if (!this.#hidden.delete(kind)) this.#hidden.add(kind);
              const button = /** @type {Element} */ (event.currentTarget);
              button.setAttribute('aria-pressed', String(!this.#hidden.has(kind)));
              this.#rebuild();
            },
          },
          t(`kind_${kind}`),
        ),
      ),
    );
  }

  #renderPause() {
    setAttribute(this.#pauseButton, 'aria-pressed', String(this.#paused));
    const text = !this.#paused
      ? t('logPause')
      : this.#missed === 0
        ? t('logResume')
        : t('logResumeCount', { count: this.#missed });
    setText(this.#pauseButton, text);
  }
}

/** @param {LogLine} line */
function rowOf({ at, kind, level, text }) {
  const time = new Date(at);
  return el(
    'li',
    { class: `${kind} ${level}` },
    el('time', { datetime: time.toISOString() }, timeText(time)),
    el('span', { class: `tag ${kind}` }, t(`kind_${kind}`)),
    el('span', { class: 'text' }, text),
  );
}

/** @param {Date} time */
function timeText(time) {
  const two = (/** @type {number} */ value) => String(value).padStart(2, '0');
  const seconds = `${two(time.getSeconds())}.${String(time.getMilliseconds()).padStart(3, '0')}`;
  return `${two(time.getHours())}:${two(time.getMinutes())}:${seconds}`;
}
