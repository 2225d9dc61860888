import { InvalidArgumentError } from 'commander';

/** Reads a flag's number. */
export function decimal(text: string): number {
  if (!/^[+-]?\d+(\.\d+)?$/.test(text)) throw new InvalidArgumentError('It takes a number.');
  return Number(text);
}

/** Reads a flag's whole number from 0 up. */
export function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('It takes a whole number.');
  return Number(text);
}
