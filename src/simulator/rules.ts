/**
 * Severity of a broken rule: a `fault` loses or could lose something; a `note` is legal but not good
 * practice.
 */
export type Severity = 'fault' | 'note';

interface RuleEntry {
  readonly section: string;
  readonly severity: Severity;
  /** Requirement of the rule. */
  readonly rule: string;
}

const fault = (section: string, rule: string): RuleEntry => ({ section, severity: 'fault', rule });
const note = (section: string, rule: string): RuleEntry => ({ section, severity: 'note', rule });

/** Rules of protocol.md whose violation a receiver can detect, by a stable id. */
export const RULES = {
  'close-frame': fault('1', 'never send a CLOSE frame: its payload is read as data'),
  'message-with-upgrade': fault('1', 'send nothing together with the 101: it waits until more data comes'),
  'early-message': note('1', 'wait 50 ms after the upgrade before the first send'),
  'empty-message': fault('2', 'never send an empty message'),
  'newline-only': fault('2', 'never send a message of newlines alone'),
  'leading-newline': fault('2', 'never send a newline before a command'),
  'unterminated-text': fault('2', 'end each command with one newline, in the same message'),
  'nul-in-text': fault('2', 'a command holds no NUL; sound after an unterminated text looks like one'),
  'line-too-long': fault('2', 'at most 2,000 bytes of type and 2,000 of arguments'),
  'message-too-long': fault('2', 'a message stays below 8,192 bytes'),
  'buffer-overflow': fault('2', 'what waits for its end stays below 8,192 bytes'),
  'snd-without-frame': fault('2', 'SND at the start is four digits and a payload, or one of three words'),
  'mode-word-unterminated': fault('2', 'SNDSTRM, SNDFILE and SNDBRKS end in a newline, in the same message'),
  'odd-payload': fault('4', 'a payload has an even number of bytes'),
  'empty-payload': note('4', 'a frame holds at least one sample'),
  'short-text-waits': note('2', 'a command that starts with S has at least 7 bytes, or something follows'),
  'short-text-stuck': fault('2', 'something follows a short command that starts with S within 250 ms'),
  'split-unit': note('2', 'a unit is one whole message'),
  'several-units': note('2', 'one unit a message'),
  'torn-frame': fault('2', 'a frame is one write: 10 ms between its two halves end the avatar'),
  'continuation-frame': note('2', 'a message is one frame'),
  'broken-frame': fault('2', 'WebSocket frames are whole, unmasked and not compressed'),
  'empty-ping': fault('2', 'a ping has a payload'),
  'invalid-utf8': note('2', 'text is UTF-8'),
  'setmodel-repeated': fault('3', 'send __AV_SETMODEL once per connection and model'),
  'unknown-av-word': note('3', 'words that begin with __AV are those of the protocol'),
  'avatar-disabled': fault('3', 'PLUGIN_DISABLE|Remote ends the avatar'),
  'model-changed': fault('5', 'MODEL_CHANGE of the model whose lips are bound ends the avatar'),
  'audio-before-ready': fault('4', 'no audio before the avatar is ready'),
  'audio-before-device': fault('5', 'no audio before the sound device is open'),
  'audio-without-model': fault('4', 'no audio before __AV_SETMODEL, or for a model that is not loaded'),
  'audio-beyond-buffer': fault('4', 'the avatar holds 60 s at most'),
  'segment-not-padded': fault('4', 'a segment is a multiple of 256 samples'),
  'second-connection': fault('6', 'one connection to an avatar that is a TCP server, never a second'),
  'speak-file-missing': fault('7', 'SPEAK_START with a file that does not exist hangs the avatar'),
} as const satisfies Record<string, RuleEntry>;

/** Stable id of a rule. */
export type RuleId = keyof typeof RULES;

/** A violation of a rule. */
export interface BrokenRule {
  readonly rule: RuleId;
  readonly severity: Severity;
  /** Section of protocol.md that states the rule. */
  readonly section: string;
  /** Observed data, as a sentence. */
  readonly detail: string;
  /** Milliseconds since the upgrade. */
  readonly atMs: number;
}

/**
 * Log of the broken rules. Every case is counted, and the first cases of each rule are kept in full, so that
 * a sender that breaks one rule with every frame neither fills the memory nor hides the other rules.
 */
export class RuleLog {
  readonly #kept: BrokenRule[] = [];
  readonly #counts = new Map<RuleId, number>();
  readonly #onBroken: ((broken: BrokenRule) => void) | undefined;
  readonly #keptPerRule: number;

  /**
   * @param onBroken called for every case, kept or not
   * @param keptPerRule number of cases of one rule that are kept in full
   * @param keptPerRule how many cases of one rule are kept whole
   */
  constructor(onBroken?: (broken: BrokenRule) => void, keptPerRule = 20) {
    this.#onBroken = onBroken;
    this.#keptPerRule = keptPerRule;
  }

  /** @param atMs milliseconds since the upgrade */
  add(rule: RuleId, detail: string, atMs: number): void {
    const { section, severity } = RULES[rule];
    const broken: BrokenRule = { rule, severity, section, detail, atMs };
    const count = (this.#counts.get(rule) ?? 0) + 1;
    this.#counts.set(rule, count);
    if (count <= this.#keptPerRule) this.#kept.push(broken);
    this.#onBroken?.(broken);
  }

  /** Returns the kept cases, in order. */
  list(severity: Severity): BrokenRule[] {
    return this.#kept.filter((broken) => broken.severity === severity);
  }

  /** Number of cases of each broken rule; rules that were not broken are absent. */
  counts(): Partial<Record<RuleId, number>> {
    return Object.fromEntries(this.#counts);
  }
}
