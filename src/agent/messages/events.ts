import type { AgentMessage } from '../wire.js';
import { commandIndex, type CommandName } from './catalogue.js';
import { alias, flag, name, number, rest, text, type Parameters } from './parameters.js';
import { ShapeIndex, words, type Named, type Shape } from './shape.js';

function event<const A extends Parameters>(head: string, ...args: A): Shape<A, []> {
  return { head, separator: '|', args, options: [] };
}

/**
 * Events of the avatar, by their name on our side. `alias` is the model's unless the event is about something else that
 * has an alias.
 */
export const eventRows = {
  // Models and their movements
  'model-added': event('MODEL_EVENT_ADD', alias()),
  'model-changed': event('MODEL_EVENT_CHANGE', alias()),
  'model-deleted': event('MODEL_EVENT_DELETE', alias()),
  'model-selected': event('MODEL_EVENT_SELECT', alias()),
  'bone-bound': event('MODEL_EVENT_BINDBONE', alias(), name('bone')),
  'bone-unbound': event('MODEL_EVENT_UNBINDBONE', alias(), name('bone')),
  'face-bound': event('MODEL_EVENT_BINDFACE', alias(), name('morph')),
  'face-bound-to-key': event('MODEL_EVENT_BINDFACE', name('key'), alias(), name('morph')),
  'face-unbound': event('MODEL_EVENT_UNBINDFACE', alias(), name('morph')),
  'motion-added': event('MOTION_EVENT_ADD', alias(), name('motion')),
  'motion-changed': event('MOTION_EVENT_CHANGE', alias(), name('motion')),
  'motion-reset': event('MOTION_EVENT_RESET', alias(), name('motion')),
  'motion-deleted': event('MOTION_EVENT_DELETE', alias(), name('motion')),
  'motion-accelerated': event('MOTION_EVENT_ACCELERATE', alias(), name('motion')),
  'motion-configured': event('MOTION_EVENT_CONFIGURE', alias(), name('motion')),
  'move-start': event('MOVE_EVENT_START', alias()),
  'move-stop': event('MOVE_EVENT_STOP', alias()),
  'turn-start': event('TURN_EVENT_START', alias()),
  'turn-stop': event('TURN_EVENT_STOP', alias()),
  'rotate-start': event('ROTATE_EVENT_START', alias()),
  'rotate-stop': event('ROTATE_EVENT_STOP', alias()),
  // Voice
  'lipsync-start': event('LIPSYNC_EVENT_START', alias()),
  'lipsync-stop': event('LIPSYNC_EVENT_STOP', alias()),
  'speak-start': event('SPEAK_EVENT_START', alias()),
  'speak-stop': event('SPEAK_EVENT_STOP', alias()),
  'synth-start': event('SYNTH_EVENT_START', alias()),
  'synth-stop': event('SYNTH_EVENT_STOP', alias()),
  'sound-start': event('SOUND_EVENT_START', alias()),
  'sound-stop': event('SOUND_EVENT_STOP', alias()),
  /** Somebody began to speak to the avatar. */
  'recognition-start': event('RECOG_EVENT_START'),
  /** Recognised speech. */
  recognised: event('RECOG_EVENT_STOP', rest('text')),
  /** Interim result of the speech recognition; more may come. */
  recognising: event('RECOG_EVENT_RAPID', rest('text')),
  'recognition-overflow': event('RECOG_EVENT_OVERFLOW'),
  'recognition-modified': event('RECOG_EVENT_MODIFY', rest('what')),
  'recognition-away': event('RECOG_EVENT_AWAY', flag('away', false)),
  'recognition-noise': event('RECOG_EVENT_GMM', rest('tag')),
  // What is shown
  'textarea-added': event('TEXTAREA_EVENT_ADD', alias()),
  'textarea-set': event('TEXTAREA_EVENT_SET', alias()),
  'textarea-deleted': event('TEXTAREA_EVENT_DELETE', alias()),
  'caption-styled': event('CAPTION_EVENT_SETSTYLE', alias()),
  'caption-start': event('CAPTION_EVENT_START', alias()),
  'caption-stop': event('CAPTION_EVENT_STOP', alias()),
  /** Number of the item from 0; -1 when the question was dismissed. */
  'prompt-selected': event('PROMPT_EVENT_SELECTED', number('item')),
  'infotext-shown': event('INFOTEXT_EVENT_SHOW'),
  'infotext-closed': event('INFOTEXT_EVENT_CLOSE', rest('button')),
  'button-added': event('BUTTON_EVENT_ADD', alias()),
  'button-deleted': event('BUTTON_EVENT_DELETE', alias()),
  'button-pressed': event('BUTTON_EVENT_EXEC', alias()),
  'menu-added': event('MENU_EVENT|ADD', alias()),
  'menu-deleted': event('MENU_EVENT|DELETE', alias()),
  'menu-item-set': event('MENU_EVENT|SETITEM', alias(), number('item')),
  'menu-item-deleted': event('MENU_EVENT|DELETEITEM', alias(), number('item')),
  'frame-added': event('WINDOWFRAME_EVENT_ADD', alias()),
  'frame-deleted': event('WINDOWFRAME_EVENT_DELETE', alias()),
  'overlay-added': event('WINDOWOVERLAY_EVENT_ADD', alias()),
  'overlay-deleted': event('WINDOWOVERLAY_EVENT_DELETE', alias()),
  'overlay-hidden': event('WINDOWOVERLAY_EVENT_HIDE', alias()),
  'overlay-shown': event('WINDOWOVERLAY_EVENT_SHOW', alias()),
  // Variables and timers
  value: event('VALUE_EVENT_GET', alias(), rest('value')),
  'value-set': event('VALUE_EVENT_SET', alias()),
  'value-unset': event('VALUE_EVENT_UNSET', alias()),
  'value-evaluated': event(
    'VALUE_EVENT_EVAL',
    alias(),
    name('operator'),
    text('value'),
    flag('result', true, 'TRUE', 'FALSE'),
  ),
  'timer-start': event('TIMER_EVENT_START', alias()),
  'timer-stop': event('TIMER_EVENT_STOP', alias()),
  'timer-cancelled': event('TIMER_EVENT_CANCELLED', alias()),
  // The person in front of the screen
  key: event('KEY', rest('key')),
  tapped: event('TAPPED', number('x'), number('y')),
  'long-pressed': event('SCREEN_EVENT_LONGPRESSED', text('place')),
  'long-released': event('SCREEN_EVENT_LONGRELEASED', text('place')),
  dropped: event('DRAGANDDROP', text('file'), number('x'), number('y')),
  // The program itself
  time: event('CURRENT_TIME', number('hour'), number('minute')),
  'control-start': event('AVATAR|START'),
  'control-end': event('AVATAR|END'),
  'control-enabled': event('AVATAR_EVENT_CONTROL|ENABLED'),
  'control-disabled': event('AVATAR_EVENT_CONTROL|DISABLED'),
  /** The avatar received nothing for 15 s; sound may still play (protocol.md §3). */
  'idle-start': event('AVATAR_EVENT_IDLE|START'),
  'idle-stop': event('AVATAR_EVENT_IDLE|STOP'),
  'plugin-enabled': event('PLUGIN_EVENT_ENABLE', name('plugin')),
  'plugin-disabled': event('PLUGIN_EVENT_DISABLE', name('plugin')),
  'script-start': event('SUBFST_EVENT_START', alias()),
  'script-stop': event('SUBFST_EVENT_STOP', alias()),
  fetched: event('NETWORK_EVENT_GET', alias()),
  'remote-connected': event('REMOTE_EVENT_CONNECTED', rest('host')),
  'remote-disconnected': event('REMOTE_EVENT_DISCONNECTED', rest('host')),
  'file-prepared': event('REMOTE_TRANSFILE_PREPARED', name('channel'), text('file')),
  'file-received': event('REMOTE_TRANSFILE_FINISHED', name('channel'), text('file')),
  'encode-start': event('SCREENENCODE_EVENT_START'),
  'encode-stop': event('SCREENENCODE_EVENT_STOP'),
  published: event('RABBITMQ_EVENT_RECV', rest('text')),
};

type Rows = typeof eventRows;

/** The name of a known event. */
export type EventName = keyof Rows;

/** Values of an event beside its kind. */
export type EventValues<Kind extends EventName> = Named<Rows[Kind]['args']>;

/**
 * A classified message of the avatar. `command` is a command of the catalogue that was issued inside the avatar: mostly
 * the echo of ours. `log` is a line of `Plugin_Remote_AllLog`. `other` is everything else: content may send any text.
 */
export type TypedMessage =
  | { [Kind in EventName]: { readonly kind: Kind } & Readonly<EventValues<Kind>> }[EventName]
  | {
      readonly kind: 'command';
      readonly command: CommandName;
      readonly values: Readonly<Record<string, unknown>>;
    }
  | { readonly kind: 'log'; readonly module: string; readonly level: string; readonly text: string }
  | { readonly kind: 'other' };

const eventIndex = new ShapeIndex(Object.entries(eventRows));

/** Classifies a message of the avatar. A truncated message is recognised only when all required parts arrived. */
export function classify(message: AgentMessage): TypedMessage {
  if (message.log && message.log.level !== 'Sent') return { kind: 'log', ...message.log };
  const fields = words(message.text);
  const known = eventIndex.read(fields);
  if (known !== undefined) return { kind: known.name, ...known.values } as TypedMessage;
  const command = commandIndex.read(fields);
  if (command !== undefined) {
    return { kind: 'command', command: command.name as CommandName, values: command.values };
  }
  return { kind: 'other' };
}
