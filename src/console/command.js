import { agentPath, ask } from './api.js';
import { Completer, separatorOf } from './completion.js';
import { byId, el, setAttribute } from './dom.js';
import { currentLanguage, onLanguage, t } from './i18n.js';
import { Ring } from './ring.js';

/** Maximum number of lines in the history (↑). */
const HISTORY = 100;

/** @typedef {import('./completion.js').Suggestions} Suggestions */

/** Command line with completion and a preview of the command's effect. */
export class CommandBox {
  #input = /** @type {HTMLInputElement} */ (byId('command'));
  #list = byId('command-list');
  #help = byId('command-help');
  #completer = new Completer([]);
  #options;
  /** @type {Suggestions} */
  #suggestions = { options: [], entry: undefined, argument: -1 };
  /** Index of the selected option, -1 for none. */
  #active = -1;
  /** @type {Ring<string>} */
  #history = new Ring(HISTORY);
  /** Position in the history; 0 is the new line. */
  #back = 0;
  #draft = '';

  /**
   * @param {object} options
   * @param {() => string} options.agent
   * @param {() => string[]} options.aliases
   * @param {(line: string, error: unknown) => void} options.onSent called when a line was sent or refused
   */
  constructor(options) {
    this.#options = options;
    this.#input.addEventListener('input', () => this.#onInput());
    this.#input.addEventListener('keydown', (event) => this.#onKey(event));
    this.#input.addEventListener('focus', () => this.#suggest());
    this.#input.addEventListener('blur', () => this.#closeList());
    // A click must not take the focus from the input.
    this.#list.addEventListener('pointerdown', (event) => event.preventDefault());
    this.#list.addEventListener('click', (event) => {
      const item = /** @type {Element} */ (event.target).closest('[role=option]');
      if (item) this.#take(Number(item.getAttribute('data-index')));
    });
    byId('command-form').addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#send();
    });
    onLanguage(() => {
      this.#renderList();
      this.#renderHelp();
    });
    this.#renderHelp();
  }

  /** Loads the catalogue. */
  async load() {
    const { commands } = await ask('GET', '/api/catalogue');
    this.#completer = new Completer(commands);
    if (document.activeElement === this.#input) this.#suggest();
  }

  focus() {
    this.#input.focus();
    this.#input.select();
  }

  #onInput() {
    this.#back = 0;
    this.#suggest();
  }

  #suggest() {
    this.#suggestions = this.#completer.suggest(this.#input.value, { aliases: this.#options.aliases() });
    this.#active = -1;
    this.#renderList();
    this.#renderHelp();
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    // While an input method composes, the keys belong to it.
    if (event.isComposing) return;
    const open = !this.#list.hidden;
    const { key } = event;
    if (key === 'ArrowDown' || key === 'ArrowUp') {
      event.preventDefault();
      if (open) this.#move(key === 'ArrowDown' ? 1 : -1);
      else this.#recall(key === 'ArrowUp' ? 1 : -1);
    } else if (key === 'Tab' && open && !event.shiftKey) {
      event.preventDefault();
      this.#take(Math.max(0, this.#active));
    } else if (key === 'Enter' && open && this.#active >= 0) {
      event.preventDefault();
      this.#take(this.#active);
    } else if (key === 'Escape' && open) {
      event.preventDefault();
      event.stopPropagation();
      this.#closeList();
    }
  }

  /** @param {number} by */
  #move(by) {
    const count = this.#suggestions.options.length;
    this.#active = (this.#active + by + count + (this.#active < 0 && by < 0 ? 1 : 0)) % count;
    for (const item of this.#list.children) {
      const chosen = Number(item.getAttribute('data-index')) === this.#active;
      setAttribute(item, 'aria-selected', String(chosen));
      if (chosen) item.scrollIntoView({ block: 'nearest' });
    }
    this.#input.setAttribute('aria-activedescendant', `option-${this.#active}`);
    this.#renderHelp();
  }

  /** @param {number} index */
  #take(index) {
    const option = this.#suggestions.options[index];
    if (!option) return;
    this.#input.value = option.line;
    this.#input.setSelectionRange(option.line.length, option.line.length);
    this.#suggest();
    if (option.entry && option.entry.args.length === 0) this.#closeList();
  }

  /** @param {number} by */
  #recall(by) {
    const back = Math.min(this.#history.length, Math.max(0, this.#back + by));
    if (back === this.#back) return;
    if (this.#back === 0) this.#draft = this.#input.value;
    this.#back = back;
    this.#input.value = back === 0 ? this.#draft : (this.#history.at(this.#history.length - back) ?? '');
    this.#suggestions = this.#completer.suggest(this.#input.value);
    this.#closeList();
    this.#renderHelp();
  }

  async #send() {
    const line = this.#input.value.trim();
    if (line === '') return;
    this.#history.push(line);
    this.#back = 0;
    this.#input.value = '';
    this.#suggest();
    try {
      const { results } = await ask('POST', agentPath(this.#options.agent(), '/commands'), {
        json: { commands: [line] },
      });
      this.#options.onSent(line, results[0].error ?? undefined);
    } catch (error) {
      // The line was not sent: restore it for correction, unless the user is typing something else.
      if (this.#input.value === '') this.#input.value = line;
      this.#options.onSent(line, error);
    }
  }

  #closeList() {
    this.#list.hidden = true;
    this.#active = -1;
    setAttribute(this.#input, 'aria-expanded', 'false');
    this.#input.removeAttribute('aria-activedescendant');
  }

  #renderList() {
    const { options } = this.#suggestions;
    if (options.length === 0 || document.activeElement !== this.#input) return this.#closeList();
    this.#list.replaceChildren(
      ...options.map(({ label, entry }, index) =>
        el(
          'li',
          {
            role: 'option',
            id: `option-${index}`,
            'data-index': String(index),
            'aria-selected': String(index === this.#active),
          },
          el('code', {}, label),
          el(
            'span',
            { class: entry?.danger ? 'warn' : '' },
            entry ? (entry.danger ? '⚠ ' : '') + entry[currentLanguage()] : '',
          ),
        ),
      ),
    );
    this.#list.hidden = false;
    this.#list.scrollTop = 0;
    setAttribute(this.#input, 'aria-expanded', 'true');
    this.#input.removeAttribute('aria-activedescendant');
  }

  #renderHelp() {
    const chosen = this.#suggestions.options[this.#active]?.entry;
    const entry = chosen ?? this.#suggestions.entry;
    const argument = chosen ? -1 : this.#suggestions.argument;
    const line = this.#input.value.trim();
    if (!entry) {
      const unknown = line !== '' && this.#suggestions.options.length === 0;
      this.#help.replaceChildren(t(unknown ? 'commandUnknown' : 'commandIdle'));
      return;
    }
    const usage = el('code', {}, entry.head);
    entry.args.forEach(({ name, optional }, i) => {
      const text = `${separatorOf(entry)}${optional ? `[${name}]` : name}`;
      usage.append(i === argument ? el('mark', {}, text) : text);
    });
    const parameter = entry.args[argument];
    this.#help.replaceChildren(usage, ` ${entry[currentLanguage()]}. `);
    if (parameter)
      this.#help.append(el('span', {}, t('commandMust', { name: parameter.name, rule: parameter.rule })));
    if (entry.danger) {
      this.#help.append(' ', el('span', { class: 'warn' }, t('commandDanger', { danger: entry.danger })));
    }
  }
}
