import { families } from './messages/catalogue.js';
import { family } from './messages/shape.js';

/*
 * Builders of the avatar's commands, one family each, generated from the message catalogue. A builder returns a line and
 * sends nothing: `agent.send(commands.motion.add('0', 'nod', 'nod.vmd'))`.
 */

/** 3D models, and their single bones and morphs. */
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
/** Background and floor. */
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
/** Questions and notices for the person in front of the screen. */
export const prompt = family(families.prompt);
/** Documents over the whole screen. */
export const infoText = family(families.infoText);
/** Buttons on the screen. */
export const button = family(families.button);
/** Pages of the menu. */
export const menu = family(families.menu);
/** Sound files of the avatar's machine, without lips. */
export const sound = family(families.sound);
/** Sound files of the avatar's machine, with lips; dangerous. */
export const speak = family(families.speak);
/** Lips without sound. */
export const lipSync = family(families.lipSync);
/** The avatar's own speech synthesis. */
export const synth = family(families.synth);
/** The avatar's own speech recognition. */
export const recog = family(families.recog);
/** External control: the words of the wire. */
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
/** The avatar's machine and its network; mostly dangerous. */
export const machine = family(families.machine);
/** Keys pressed in the avatar's window from here. */
export const key = family(families.key);
