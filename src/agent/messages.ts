/*
 * The avatar's message catalogue. One table describes each command and event (messages/: one file a group). Made from it:
 * the builders (commands.ts), the meaning of the avatar's messages (classify), the message that answers a command
 * (answerOf), and the list for completion (commandCatalogue).
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
