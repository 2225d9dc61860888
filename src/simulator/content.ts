import { BridgeError } from '../base/errors.js';
import { readTextFile } from '../base/text-file.js';

/** A line of a dialogue content: the message that starts it, then commands and awaited messages. */
export interface ContentRule {
  readonly trigger: string;
  readonly steps: readonly ContentStep[];
}

/** A command to issue, or a message to wait for. */
export interface ContentStep {
  readonly kind: 'issue' | 'wait';
  readonly message: string;
}

/** Trigger of a line that starts when the model is loaded and the main loop runs. */
export const CONTENT_START = 'START';

/** Messages from the program, for which content waits; anything else is a command that content issues. */
const WAITED_FOR = /^[A-Z]+_EVENT(?:[_|]|$)|^(?:KEY|TAPPED|CURRENT_TIME)\|/;
/** Delay from a message to the next step of the script, in ms (protocol.md §9). */
const MOVES_ON_AFTER_MS = 20;

/**
 * Parses a dialogue content. A line is `KEY|1 -> SYNTH_START|0|voice|text -> SYNTH_EVENT_STOP|0 -> …`: the
 * message that starts it, then steps in order. A step that is an event is awaited; any other is issued.
 * `START` starts a line when the avatar is ready; `#` starts a comment; `→` is the same as `->`.
 * @param name name of the content in errors
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

/** Plays a dialogue content: receives the messages of the program and issues the commands of the lines. */
export class ContentPlayer {
  readonly #rules: readonly ContentRule[];
  readonly #later: (delayMs: number, run: () => void) => void;
  readonly #issue: (message: string) => void;
  /** Remaining steps of each running line. */
  readonly #running = new Map<ContentRule, readonly ContentStep[]>();

  /**
   * @param later calls a function after a time in ms; pending calls are discarded when the program ends
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

  /** Handles a message of the program, including its own. A line whose trigger comes again restarts. */
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
