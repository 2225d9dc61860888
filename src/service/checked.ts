import type { z } from 'zod';
import { BridgeError } from '../base/errors.js';

/** Maximum number of reported errors of one value. */
const MAX_TOLD = 5;

/**
 * Returns a value parsed by its schema.
 * @param what name of the value in the message: `The body of the request`
 * @throws BridgeError REQUEST_INVALID naming the errors
 */
export function checked<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  what: string,
): z.output<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const faults = result.error.issues
    .slice(0, MAX_TOLD)
    .map(({ path, message }) => [path.map(String).join('.'), message].filter(Boolean).join(': '));
  throw new BridgeError('REQUEST_INVALID', `${what} was refused: ${faults.join('; ')}.`);
}
