import type { SynthPlugin } from './synth-plugin.js';

/** Access of a command's answer to the simulated program. */
export interface ProgramWorld {
  /** Speech synthesis of the program. */
  readonly synth: SynthPlugin;
  /** Aliases of the loaded models. */
  readonly models: Set<string>;
  /** Reports that a model was deleted: lips bound to it are bound to nothing. */
  deleted(alias: string): void;
  /** True for the model whose lips are bound. */
  isBound(alias: string): boolean;
  /** Variables of the program (`VALUE_SET`). */
  readonly values: Map<string, string>;
  /** True when the file exists on the program's own machine. */
  fileExists(path: string): boolean;
  /** Issues a message later; another one with the same key replaces it. */
  later(key: string, delayMs: number, message: string | (() => string)): void;
  /** Cancels a later message. @returns true when it was still pending */
  cancel(key: string): boolean;
  /**
   * Switches external control (`AVATAR_CONTROL`, `__AV_START`, `__AV_END`). @returns false when nothing
   * changed
   */
  control(on: boolean): boolean;
  /** Hangs the program for good. */
  hang(reason: string): void;
  /** Ends the program. */
  end(reason: string, rule: 'avatar-disabled' | 'model-changed'): void;
}

const SYNTH_PLUGINS = new Set(['Open_JTalk', 'Flite_plus_hts_engine']);

/** Returns the messages that follow at once; later ones go through `world.later`. */
type Answer = (args: readonly string[], world: ProgramWorld) => readonly string[];

/** Delay from the end of a lip movement to its event, in ms (protocol.md §7). */
const LIPSYNC_TAIL_MS = 220;

/** Delay from MODEL_DELETE to its event, in ms (protocol.md §5). */
const MODEL_DELETE_MS = 500;

/**
 * Assumed durations of a motion, a move and a sound, in ms: a simulator reads no files and knows no
 * distances.
 */
const STAND_IN_MS = { motion: 2_000, move: 200, sound: 1_000 } as const;

const COMPARISONS: Readonly<Record<string, (a: number, b: number) => boolean>> = {
  EQ: (a, b) => a === b,
  NE: (a, b) => a !== b,
  LE: (a, b) => a <= b,
  LT: (a, b) => a < b,
  GE: (a, b) => a >= b,
  GT: (a, b) => a > b,
};

/** Answers a command on a loaded model with the event `NAME_EVENT_VERB|first arguments`. */
const onModel =
  (event: string, argCount: number): Answer =>
  (args, world) =>
    world.models.has(args[0] ?? '') ? [[event, ...args.slice(0, argCount)].join('|')] : [];

const always =
  (event: string, argCount: number): Answer =>
  (args) => [[event, ...args.slice(0, argCount)].join('|')];

/** Answers a command that starts a movement, which ends by itself. */
const movement =
  (name: string): Answer =>
  ([alias = ''], world) => {
    if (!world.models.has(alias)) return [];
    const key = `${name}|${alias}`;
    const replaced = world.cancel(key) ? [`${name}_EVENT_STOP|${alias}`] : [];
    world.later(key, STAND_IN_MS.move, `${name}_EVENT_STOP|${alias}`);
    return [...replaced, `${name}_EVENT_START|${alias}`];
  };

/** Answers a command that ends a movement early. */
const stopped =
  (name: string): Answer =>
  ([alias = ''], world) =>
    world.cancel(`${name}|${alias}`) ? [`${name}_EVENT_STOP|${alias}`] : [];

/** Returns the sum of the milliseconds in `k,75,o,75,…` (protocol.md §7). */
function lipsMs(phonemes: string): number {
  const parts = phonemes.split(',');
  return parts.reduce((sum, part, index) => (index % 2 === 1 ? sum + (Number(part) || 0) : sum), 0);
}

/**
 * Answers of the program to a command, besides its echo: protocol.md §5 and §7, and the recording. As in the
 * real program, most commands have only an echo and are not listed here.
 */
export const ANSWERS: Readonly<Record<string, Answer>> = {
  LIPSYNC_START: ([alias = '', phonemes = ''], world) => {
    if (!world.models.has(alias)) return [];
    const replaced = world.cancel(`LIPSYNC|${alias}`) ? [`LIPSYNC_EVENT_STOP|${alias}`] : [];
    const lengthMs = lipsMs(phonemes) + LIPSYNC_TAIL_MS;
    world.later(`LIPSYNC|${alias}`, lengthMs, `LIPSYNC_EVENT_STOP|${alias}`);
    return [...replaced, `LIPSYNC_EVENT_START|${alias}`];
  },
  LIPSYNC_STOP: stopped('LIPSYNC'),
  MODEL_ADD: ([alias = '', file = ''], world) => {
    // A model is not added while another one still has its alias.
    if (!world.fileExists(file) || world.models.has(alias)) return [];
    world.models.add(alias);
    return [`MODEL_EVENT_ADD|${alias}`];
  },
  MODEL_DELETE: ([alias = ''], world) => {
    if (!world.models.has(alias)) return [];
    world.later(`MODEL|${alias}`, MODEL_DELETE_MS, () => {
      world.models.delete(alias);
      world.deleted(alias);
      return `MODEL_EVENT_DELETE|${alias}`;
    });
    return [];
  },
  MODEL_CHANGE: ([alias = '', file = ''], world) => {
    if (!world.models.has(alias) || !world.fileExists(file)) return [];
    // The real program ends in 17 of 28 tries (protocol.md §5).
    if (world.isBound(alias)) world.end(`MODEL_CHANGE of ${alias}, whose lips are bound`, 'model-changed');
    return [`MODEL_EVENT_CHANGE|${alias}`];
  },
  MODEL_BINDFACE: onModel('MODEL_EVENT_BINDFACE', 2),
  MODEL_UNBINDFACE: onModel('MODEL_EVENT_UNBINDFACE', 2),
  MOTION_ADD: ([alias = '', motion = '', file = '', ...how], world) => {
    if (!world.models.has(alias) || !world.fileExists(file)) return [];
    if (how.includes('ONCE')) {
      const key = `MOTION|${alias}|${motion}`;
      world.later(key, STAND_IN_MS.motion, `MOTION_EVENT_DELETE|${alias}|${motion}`);
    }
    return [`MOTION_EVENT_ADD|${alias}|${motion}`];
  },
  MOTION_DELETE: ([alias = '', motion = ''], world) => {
    world.cancel(`MOTION|${alias}|${motion}`);
    return onModel('MOTION_EVENT_DELETE', 2)([alias, motion], world);
  },
  MOVE_START: movement('MOVE'),
  MOVE_STOP: stopped('MOVE'),
  TURN_START: movement('TURN'),
  TURN_STOP: stopped('TURN'),
  ROTATE_START: ([alias = '', ...rest], world) => [
    ...(stopped('TURN')([alias], world) as string[]),
    ...movement('ROTATE')([alias, ...rest], world),
  ],
  ROTATE_STOP: stopped('ROTATE'),
  VALUE_SET: ([name = '', value = ''], world) => {
    world.values.set(name, value);
    return [`VALUE_EVENT_SET|${name}`];
  },
  VALUE_GET: ([name = ''], world) => {
    const value = world.values.get(name);
    return value === undefined ? [] : [`VALUE_EVENT_GET|${name}|${value}`];
  },
  VALUE_EVAL: ([name = '', comparison = '', wanted = ''], world) => {
    const value = world.values.get(name);
    const compare = COMPARISONS[comparison];
    if (value === undefined || !compare) return [];
    const result = compare(Number(value), Number(wanted)) ? 'TRUE' : 'FALSE';
    return [`VALUE_EVENT_EVAL|${name}|${comparison}|${wanted}|${result}`];
  },
  VALUE_UNSET: ([name = ''], world) => (world.values.delete(name) ? [`VALUE_EVENT_UNSET|${name}`] : []),
  TIMER_START: ([name = '', seconds = ''], world) => {
    world.later(`TIMER|${name}`, (Number(seconds) || 0) * 1000, `TIMER_EVENT_STOP|${name}`);
    return [`TIMER_EVENT_START|${name}`];
  },
  TIMER_STOP: stopped('TIMER'),
  CAPTION_SETSTYLE: always('CAPTION_EVENT_SETSTYLE', 1),
  CAPTION_START: ([name = '', ...rest], world) => {
    // The last argument counts frames, 30 a second.
    const lengthMs = ((Number(rest[5]) || 0) * 1000) / 30;
    if (lengthMs > 0) world.later(`CAPTION|${name}`, lengthMs, `CAPTION_EVENT_STOP|${name}`);
    return [`CAPTION_EVENT_START|${name}`];
  },
  CAPTION_STOP: stopped('CAPTION'),
  SOUND_START: ([name = '', file = ''], world) => {
    if (!world.fileExists(file)) return [];
    world.later(`SOUND|${name}`, STAND_IN_MS.sound, `SOUND_EVENT_STOP|${name}`);
    return [`SOUND_EVENT_START|${name}`];
  },
  SOUND_STOP: stopped('SOUND'),
  SPEAK_START: ([alias = '', file = ''], world) => {
    if (!world.fileExists(file)) {
      world.hang(`SPEAK_START with ${file}, which does not exist.`);
      return [];
    }
    world.later(`SPEAK|${alias}`, STAND_IN_MS.sound, `SPEAK_EVENT_STOP|${alias}`);
    return [`SPEAK_EVENT_START|${alias}`];
  },
  SPEAK_STOP: stopped('SPEAK'),
  SYNTH_START: ([alias = '', voice = '', text = ''], { synth }) => {
    synth.start(alias, voice, text);
    return [];
  },
  SYNTH_STOP: ([alias = ''], { synth }) => {
    synth.stop(alias);
    return [];
  },
  AVATAR_CONTROL: ([what], world) => {
    if (what === 'ENABLE')
      return [...(world.control(true) ? ['AVATAR|START'] : []), 'AVATAR_EVENT_CONTROL|ENABLED'];
    return what === 'DISABLE' && world.control(false) ? ['AVATAR|END'] : [];
  },
  MENU: ([verb = '', menu = '', item = '']) =>
    verb === 'ADD' ? [`MENU_EVENT|ADD|${menu}`] : [`MENU_EVENT|${verb}|${menu}|${item}`],
  PLUGIN_ENABLE: ([name = ''], world) => {
    if (SYNTH_PLUGINS.has(name)) world.synth.enable(true);
    return [`PLUGIN_EVENT_ENABLE|${name}`];
  },
  PLUGIN_DISABLE: ([name = ''], world) => {
    if (SYNTH_PLUGINS.has(name)) world.synth.enable(false);
    if (name === 'Remote') world.end('PLUGIN_DISABLE|Remote', 'avatar-disabled');
    return [`PLUGIN_EVENT_DISABLE|${name}`];
  },
};
