import { BridgeError } from '../base/errors.js';
import { readTextFile } from '../base/text-file.js';

/** One line of a dialogue content: a message that begins it, then commands and the messages that it waits for. */
export interface ContentRule {
  readonly trigger: string;
  readonly steps: readonly ContentStep[];
}

/** A command that is issued, or a message that is waited for. */
export interface ContentStep {
  readonly kind: 'issue' | 'wait';
  readonly message: string;
}

/** Begins when the model is loaded and the main loop runs. */
export const CONTENT_START = 'START';

/** Messages that the program tells and content waits for; all others are commands that content issues. */
const WAITED_FOR = /^[A-Z]+_EVENT(?:[_|]|$)|^(?:KEY|TAPPED|CURRENT_TIME)\|/;
/** From a message until the script has moved on (protocol.md §9). */
const MOVES_ON_AFTER_MS = 20;

/**
 * Reads a dialogue content. A line is `KEY|1 -> SYNTH_START|0|voice|text -> SYNTH_EVENT_STOP|0 -> …`: the message that
 * begins it, then steps in order. A step that is an event is waited for; any other is issued. `START` begins a line when
 * the avatar is ready; `#` begins a comment; `→` is the same as `->`.
 * @param name how an error names it
 * @throws BridgeError CONFIG_INVALID that names the line
 */
export function parseContent(text: string, name: string): ContentRule[] {
  return text.split(/\r?\n/).flatMap((line, index) => {
    if (/^\s*(#|$)/.test(line)) return [];
    const [trigger = '', ...steps] = line.split(/\s*(?:->|→)\s*/).map((part) => part.trim());
    if (trigger === '' || steps.length === 0 || steps.includes('')) {
      throw new BridgeError(
        'CONFIG_INVALID',
        `The content ${name}, line ${index + 1}: it takes a message and steps with -> between them, such as KEY|1 -> SYNTH_START|0|voice|text -> SYNTH_EVENT_STOP|0.`,
      );
    }
    return [{ trigger, steps: steps.map(stepOf) }];
  });
}

function stepOf(message: string): ContentStep {
  return { kind: WAITED_FOR.test(message) ? 'wait' : 'issue', message };
}

/**
 * Reads a dialogue content from a file.
 * @throws BridgeError FILE_NOT_FOUND, FILE_UNREADABLE or CONFIG_INVALID
 */
export async function readContent(path: string): Promise<ContentRule[]> {
  return parseContent(await readTextFile(path), path);
}

/** Plays a dialogue content: follows the messages of the program and issues what the lines say. */
export class ContentPlayer {
  readonly #rules: readonly ContentRule[];
  readonly #later: (delayMs: number, run: () => void) => void;
  readonly #issue: (message: string) => void;
  /** The steps that each line has still to take, while it runs. */
  readonly #running = new Map<ContentRule, readonly ContentStep[]>();

  /**
   * @param later calls something after a time in ms; what it has not called yet when the program ends is forgotten
   * @param issue issues a message inside the program
   */
  constructor(
    rules: readonly ContentRule[],
    later: (delayMs: number, run: () => void) => void,
    issue: (message: string) => void,
  ) {
    this.#rules = rules;
    this.#later = later;
    this.#issue = issue;
  }

  /** Takes a message of the program, its own among them. A line whose trigger comes again begins anew. */
  saw(message: string): void {
    for (const [rule, [step, ...rest]] of [...this.#running]) {
      if (step?.kind === 'wait' && step.message === message) this.#run(rule, rest);
    }
    for (const rule of this.#rules) if (rule.trigger === message) this.#run(rule, rule.steps);
  }

  #run(rule: ContentRule, steps: readonly ContentStep[]): void {
    const waitAt = steps.findIndex(({ kind }) => kind === 'wait');
    const issued = waitAt === -1 ? steps : steps.slice(0, waitAt);
    if (waitAt === -1) this.#running.delete(rule);
    else this.#running.set(rule, steps.slice(waitAt));
    if (issued.length === 0) return;
    this.#later(MOVES_ON_AFTER_MS, () => {
      for (const { message } of issued) this.#issue(message);
    });
  }
}
