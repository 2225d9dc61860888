/*
 * The avatar's message catalogue. One table says what each command and event is (messages/: a file a group); from it come
 * the builders (commands.ts), what the avatar's messages mean (classify), which message answers which command (answerOf),
 * and the list for completion (commandCatalogue).
 */

export {
  answerOf,
  commandDoubt,
  commandCatalogue,
  parseCommand,
  type CatalogueArgument,
  type CatalogueEntry,
  type CommandName,
} from './messages/catalogue.js';
export { classify, type EventName, type EventValues, type TypedMessage } from './messages/events.js';
export type { Rgba, TimedPhoneme, Triple } from './messages/parameters.js';
