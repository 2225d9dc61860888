import { InvalidArgumentError } from 'commander';

/** Parses a number. */
export function decimal(text: string): number {
  if (!/^[+-]?\d+(\.\d+)?$/.test(text)) throw new InvalidArgumentError('It takes a number.');
  return Number(text);
}

/** Parses a whole number from 0 up. */
export function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('It takes a whole number.');
  return Number(text);
}
