import type { z } from 'zod';
import { BridgeError } from '../base/errors.js';

/** Faults of one value that are told. */
const MAX_TOLD = 5;

/**
 * A value as its schema reads it.
 * @param what how the message names it: `The body of the request`
 * @throws BridgeError REQUEST_INVALID that names what is wrong with it
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
