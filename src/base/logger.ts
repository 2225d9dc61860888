/**
 * Part of a logger that the bridge uses. It has pino's call form, so a pino instance fits. Pass the fields
 * first, then a line for people; never a secret in either.
 */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  /** Returns a logger that adds `fields` to every line. */
  child(fields: Record<string, unknown>): Logger;
}

/**
 * Logger that logs nothing: the default of the library, which must not write to the host program's terminal.
 */
export const silentLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silentLogger,
};
