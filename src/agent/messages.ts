import { families } from './messages/catalogue.js';
import { family } from './messages/shape.js';

/*
 * The avatar's message catalogue. One table says what each command and event is (messages/: a file a group); from it come
 * the builders below, what the avatar's messages mean (classify), which message answers which command (answerOf), and
 * the list for completion (commandCatalogue). A builder makes a line and sends nothing: `agent.send(motion.add(…))`.
 */

export {
  answerOf,
  commandCatalogue,
  parseCommand,
  type CatalogueArgument,
  type CatalogueEntry,
  type CommandName,
} from './messages/catalogue.js';
export { classify, type EventName, type EventValues, type TypedMessage } from './messages/events.js';
export type { Rgba, TimedPhoneme, Triple } from './messages/parameters.js';

/** 3D models, and single bones and morphs of theirs. */
export const model = family(families.model);
/** Motions: `motion.add('0', 'nod', 'nod.vmd', { range: 'PART' })`. */
export const motion = family(families.motion);
/** Moves a model to a place. */
export const move = family(families.move);
/** Turns a model towards a place. */
export const turn = family(families.turn);
/** Rotates a model by an amount. */
export const rotate = family(families.rotate);
/** The viewpoint. */
export const camera = family(families.camera);
/** What is behind and below the models. */
export const stage = family(families.stage);
/** The light. */
export const light = family(families.light);
/** Pictures over the whole window. */
export const windowFrame = family(families.windowFrame);
/** Pictures in a corner of the window. */
export const windowOverlay = family(families.windowOverlay);
/** The window itself. */
export const window = family(families.window);
/** Text and pictures as boards in the scene. */
export const textArea = family(families.textArea);
/** Text on the screen. */
export const caption = family(families.caption);
/** What asks or tells the person in front of the screen. */
export const prompt = family(families.prompt);
/** Documents over the whole screen. */
export const infoText = family(families.infoText);
/** Buttons on the screen. */
export const button = family(families.button);
/** Pages of the menu. */
export const menu = family(families.menu);
/** Sound files of the avatar's machine, without lips. */
export const sound = family(families.sound);
/** Sound files of the avatar's machine, with lips; dangerous (protocol.md §7). */
export const speak = family(families.speak);
/** Lips without sound (protocol.md §7). */
export const lipSync = family(families.lipSync);
/** The avatar's own speech synthesis. */
export const synth = family(families.synth);
/** The avatar's own speech recognition. */
export const recog = family(families.recog);
/** External control: the words of the wire (protocol.md §3). */
export const avatar = family(families.avatar);
/** Variables of the content. */
export const value = family(families.value);
/** Countdowns. */
export const timer = family(families.timer);
/** Key values. */
export const keyValue = family(families.keyValue);
/** Dialogue scripts. */
export const script = family(families.script);
/** The content as a whole, and the program's parts. */
export const content = family(families.content);
/** The avatar's machine and its network; mostly dangerous (protocol.md §3). */
export const machine = family(families.machine);
/** Keys pressed in the avatar's window from here. */
export const key = family(families.key);
