import type { z } from 'zod';
import type { SayOptions } from '../agent/say.js';
import { Dictionary } from '../tts/dictionary.js';
import type { SayQuery } from './params.js';

/** Text options of a request. */
export type AskedSay = Omit<Partial<z.output<typeof SayQuery>>, 'wait' | 'sent'>;

/** Converts them to the options of an agent. */
export function sayOptions({ dictionary, ...rest }: AskedSay): SayOptions {
  const options = { ...rest, ...(dictionary && { dictionary: new Dictionary(Object.entries(dictionary)) }) };
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}
