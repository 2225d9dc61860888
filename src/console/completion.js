/**
 * @typedef {object} Argument
 * @property {string} name
 * @property {string} kind
 * @property {string} hint
 * @property {string} rule
 * @property {boolean} optional
 * @property {string[]} [choices]
 */

/**
 * @typedef {object} Entry
 * @property {string} name
 * @property {string} head
 * @property {string} usage
 * @property {Argument[]} args
 * @property {string} [danger]
 * @property {string} en
 * @property {string} ja
 */

/**
 * @typedef {object} Option
 * @property {string} line the whole line after choosing the option
 * @property {string} label
 * @property {Entry} [entry] the command, for a command option
 */

/**
 * @typedef {object} Suggestions
 * @property {Option[]} options
 * @property {Entry | undefined} entry the command being written
 * @property {number} argument index of the argument being written, or -1
 */

/** Maximum number of options shown. */
const MAX_OPTIONS = 60;

/**
 * Returns the separator of a command's arguments (protocol.md §3).
 * @param {Entry} entry
 */
export function separatorOf(entry) {
  return entry.head.startsWith('__AV') ? ',' : '|';
}

/** Suggests continuations of a line from the catalogue of commands. */
export class Completer {
  #entries;

  /** @param {Entry[]} entries */
  constructor(entries) {
    this.#entries = entries;
  }

  /**
   * @param {string} line the line so far
   * @param {{ aliases?: string[] }} [known] names of models, for arguments that take one
   * @returns {Suggestions}
   */
  suggest(line, { aliases = [] } = {}) {
    if (line.trim() === '') return { options: [], entry: undefined, argument: -1 };
    const entry = this.#entryOf(line);
    const argument = entry && line.length > entry.head.length ? this.#argumentOf(entry, line) : -1;
    if (entry && argument >= 0) {
      const from = this.#argumentStart(entry, line, argument);
      const typed = line.slice(from).toLowerCase();
      const parameter = entry.args[argument];
      const words = parameter?.choices ?? (parameter?.kind === 'alias' ? aliases : []);
      const last = argument === entry.args.length - 1 || entry.args[argument + 1]?.optional;
      const options = words
        .filter((word) => word.toLowerCase().startsWith(typed) && word.toLowerCase() !== typed)
        .map((word) => ({
          label: word,
          line: line.slice(0, from) + word + (last ? '' : separatorOf(entry)),
        }));
      return { options, entry, argument };
    }
    return { options: this.#commands(line), entry, argument };
  }

  /** @param {string} line */
  #commands(line) {
    const typed = line.trim().toLowerCase();
    const ranked = [];
    for (const entry of this.#entries) {
      const rank = rankOf(entry, typed);
      if (rank >= 0) ranked.push({ entry, rank });
    }
    ranked.sort((a, b) => a.rank - b.rank);
    return ranked.slice(0, MAX_OPTIONS).map(({ entry }) => ({
      label: entry.usage,
      line: entry.head + (entry.args.length > 0 ? separatorOf(entry) : ''),
      entry,
    }));
  }

  /** @param {string} line */
  #entryOf(line) {
    let best;
    for (const entry of this.#entries) {
      const { head } = entry;
      if (line !== head && !line.startsWith(head + separatorOf(entry))) continue;
      if (best && best.head.length > head.length) continue;
      // Of two commands with the same head, use the first that has room for the arguments given.
      if (best?.head === head && this.#given(best, line) <= best.args.length) continue;
      best = entry;
    }
    return best;
  }

  /**
   * Returns the number of arguments in a line, including the one being written.
   * @param {Entry} entry
   * @param {string} line
   */
  #given(entry, line) {
    return line.length === entry.head.length
      ? 0
      : line.slice(entry.head.length + 1).split(separatorOf(entry)).length;
  }

  /**
   * @param {Entry} entry
   * @param {string} line
   */
  #argumentOf(entry, line) {
    return Math.min(this.#given(entry, line), entry.args.length) - 1;
  }

  /**
   * Returns the position in the line at which an argument begins.
   * @param {Entry} entry
   * @param {string} line
   * @param {number} argument
   */
  #argumentStart(entry, line, argument) {
    let at = entry.head.length + 1;
    for (let i = 0; i < argument; i++) at = line.indexOf(separatorOf(entry), at) + 1;
    return at;
  }
}

/**
 * Returns how well a command matches the typed text; lower is better, -1 is no match.
 * @param {Entry} entry
 * @param {string} typed in lower case
 */
function rankOf(entry, typed) {
  const head = entry.head.toLowerCase();
  const name = entry.name.toLowerCase();
  if (head.startsWith(typed)) return 0;
  if (name.startsWith(typed)) return 1;
  const words = typed.split(/[\s_.|]+/).filter(Boolean);
  if (words.length > 0 && words.every((word) => head.includes(word) || name.includes(word))) return 2;
  const help = `${entry.en} ${entry.ja}`.toLowerCase();
  if (words.length > 0 && words.every((word) => help.includes(word) || head.includes(word))) return 3;
  return -1;
}
