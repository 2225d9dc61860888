import { didYouMean } from '../../base/nearest.js';
import { dangerOf } from '../danger.js';
import { MESSAGE_PREFIX, type AgentMessage } from '../wire.js';
import * as control from './control.js';
import * as display from './display.js';
import * as models from './models.js';
import * as scene from './scene.js';
import * as voice from './voice.js';
import type { Parameter } from './parameters.js';
import { ShapeIndex, words, type Command } from './shape.js';

/** Every command of the avatar's catalogue, family by family. */
export const families = {
  model: models.modelRows,
  motion: models.motionRows,
  move: models.moveRows,
  turn: models.turnRows,
  rotate: models.rotateRows,
  camera: scene.cameraRows,
  stage: scene.stageRows,
  light: scene.lightRows,
  windowFrame: scene.frameRows,
  windowOverlay: scene.overlayRows,
  window: scene.windowRows,
  textArea: display.textAreaRows,
  caption: display.captionRows,
  prompt: display.promptRows,
  infoText: display.infoTextRows,
  button: display.buttonRows,
  menu: display.menuRows,
  sound: voice.soundRows,
  speak: voice.speakRows,
  lipSync: voice.lipSyncRows,
  synth: voice.synthRows,
  recog: voice.recogRows,
  avatar: control.avatarRows,
  value: control.valueRows,
  timer: control.timerRows,
  keyValue: control.keyValueRows,
  script: control.scriptRows,
  content: control.contentRows,
  machine: control.machineRows,
  key: control.keyRows,
};

type Families = typeof families;

/** A command's name in code: `motion.add`. */
export type CommandName = {
  [F in keyof Families]: `${F}.${keyof Families[F] & string}`;
}[keyof Families];

const rows: [name: CommandName, row: Command][] = Object.entries(families).flatMap(([familyName, members]) =>
  Object.entries(members as Record<string, Command>).map(([key, row]): [CommandName, Command] => [
    `${familyName}.${key}` as CommandName,
    row,
  ]),
);

/** Finds a command by its line. */
export const commandIndex = new ShapeIndex(rows);

/** One argument, for a program that offers completions. */
export interface CatalogueArgument {
  readonly name: string;
  /** `alias`, `file`, `name`, `text`, `number`, `choice`, `position`, … */
  readonly kind: string;
  readonly hint: string;
  /** Accepted values, as the end of `must be …`. */
  readonly rule: string;
  readonly optional: boolean;
  readonly choices?: readonly string[];
  readonly fallback?: string;
}

/** One command, for a program that offers completions. Plain data: it survives JSON. */
export interface CatalogueEntry {
  /** `motion.add` */
  readonly name: string;
  /** Beginning of the line: `MOTION_ADD`, `MENU|ADD`, `__AV_START`. */
  readonly head: string;
  /** `MOTION_CHANGE|alias|motion|file`; parts in brackets are optional. */
  readonly usage: string;
  readonly args: readonly CatalogueArgument[];
  /** Head of the message that answers it. */
  readonly answer?: string;
  /** Reason why it needs a permission, as the end of a sentence that begins with the command. */
  readonly danger?: string;
  readonly en: string;
  readonly ja: string;
}

function usageOf({ name, hint }: Parameter): string {
  return hint.startsWith(name) ? hint : `${name} (${hint})`;
}

function describe([name, row]: [string, Command]): CatalogueEntry {
  const argument = (parameter: Parameter, optional: boolean): CatalogueArgument => ({
    name: parameter.name,
    kind: parameter.kind,
    hint: parameter.hint,
    rule: parameter.rule,
    optional,
    ...(parameter.choices === undefined ? {} : { choices: parameter.choices }),
    ...(parameter.fallback === undefined || !optional ? {} : { fallback: parameter.fallback }),
  });
  const danger = dangerOf(row.head);
  return {
    name,
    head: row.head,
    usage:
      [row.head, ...row.args.map(usageOf)].join(row.separator) +
      row.options.map((option) => `[${row.separator}${usageOf(option)}`).join('') +
      ']'.repeat(row.options.length),
    args: [...row.args.map((p) => argument(p, false)), ...row.options.map((p) => argument(p, true))],
    ...(row.answer === undefined ? {} : { answer: row.answer[0]! }),
    ...(danger === undefined ? {} : { danger }),
    en: row.en,
    ja: row.ja,
  };
}

/** The whole catalogue as plain data, for completion and help. */
export const commandCatalogue: readonly CatalogueEntry[] = rows.map(describe);

/**
 * Parses a command line of the catalogue.
 * @returns the command's name and its values by name, or undefined when it is unknown or its arguments do not fit
 */
export function parseCommand(
  line: string,
): { command: CommandName; values: Record<string, unknown> } | undefined {
  const found = commandIndex.read(words(line));
  return found && { command: found.name as CommandName, values: found.values };
}

/**
 * Returns a warning about a command that does not match the avatar's catalogue.
 * @returns a sentence; undefined for a command that matches, and for unknown ones that begin with `__AV`, since plugins
 * add their own
 */
export function commandDoubt(line: string): string | undefined {
  if (parseCommand(line) || /^__AV/.test(line)) return undefined;
  const [type = ''] = line.split('|', 1);
  const known = commandCatalogue.filter(({ head }) => head === type || head.startsWith(`${type}|`));
  if (known.length > 0) {
    const usages = known.slice(0, 3).map(({ usage }) => usage);
    return `${type} does not take these arguments. Usage: ${usages.join(' or ')}.`;
  }
  const heads = [...new Set(commandCatalogue.map(({ head }) => head.split('|')[0]!))];
  return `${type} is no command of the avatar's catalogue${didYouMean(type, heads) || '.'}`;
}

/**
 * Returns a test for the message by which the avatar answers a command: `MODEL_ADD|x|…` is answered by
 * `MODEL_EVENT_ADD|x`.
 * @returns undefined when no answer is known: then only the echo comes back (protocol.md §3)
 */
export function answerOf(line: string): ((message: AgentMessage) => boolean) | undefined {
  if (line.startsWith(MESSAGE_PREFIX)) return answerOf(line.slice(MESSAGE_PREFIX.length));
  const fields = words(line);
  const candidates = commandIndex.find(fields);
  // A line that does not fit its row may still be answered: the avatar is more lenient than the table.
  const fitting = candidates.find(({ name }) => name === commandIndex.read(fields)?.name) ?? candidates[0];
  const answer = fitting?.shape.answer;
  if (fitting === undefined || answer === undefined) return undefined;
  const given = fields.slice(fitting.shape.head.split('|').length).filter((field) => field !== '');
  const names = fitting.shape.args.map((parameter) => parameter.name);
  const [head = '', ...echoed] = answer;
  const expected = [...head.split('|'), ...echoed.map((name) => given[names.indexOf(name)])];
  return (message) => {
    const said = [message.type, ...message.args];
    return expected.every((word, i) => word === undefined || said[i] === word);
  };
}
