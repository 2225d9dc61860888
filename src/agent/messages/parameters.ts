/**
 * One argument of a message: how a value becomes text on the wire and comes back.
 * @typeParam Name the name under which callers and events know it
 * @typeParam Value what it is in code
 */
export interface Parameter<Name extends string = string, Value = unknown> {
  readonly name: Name;
  /** Kind of value, for a program that offers completions: `alias`, `file`, `number`, `choice`, … */
  readonly kind: string;
  /** Accepted form, as in the usage line: `x,y,z`, `ON or OFF`. */
  readonly hint: string;
  /** Accepted values, as the end of `must be …`. */
  readonly rule: string;
  /** Words to choose from, for a choice. */
  readonly choices?: readonly string[];
  /** Text written when a later option is given and this one is not. Without a fallback, this one must be given then. */
  readonly fallback?: string;
  /** True when it takes the whole rest of the line, separators included. */
  readonly rest?: boolean;
  /** @returns the text on the wire, or undefined when the value is not allowed */
  write(value: Value): string | undefined;
  /** @returns the value, or undefined when the text does not fit */
  read(text: string): Value | undefined;
}

/** Several parameters, in the order of the wire. */
export type Parameters = readonly Parameter[];

const FORBIDDEN = /[|\r\n\0]|\p{Surrogate}/u;
const FORBIDDEN_IN_REST = /[\r\n\0]|\p{Surrogate}/u;
const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;

// The avatar drops an empty argument and shifts the ones behind it (protocol.md §3), so none may be empty.
const oneLine = (value: unknown, forbidden: RegExp): string | undefined =>
  typeof value === 'string' && value !== '' && !forbidden.test(value) ? value : undefined;
const orUndefined = (text: string): string | undefined => (text === '' ? undefined : text);

const TEXT_RULE = 'text of at least one character, without | and line breaks';

function textual<const Name extends string>(
  kind: string,
  name: Name,
  fallback?: string,
): Parameter<Name, string> {
  return {
    name,
    kind,
    hint: name,
    rule: TEXT_RULE,
    ...(fallback === undefined ? {} : { fallback }),
    write: (value) => oneLine(value, FORBIDDEN),
    read: orUndefined,
  };
}

/** Name of a model or another object: `alias` unless told otherwise. */
export const alias = <const Name extends string = 'alias'>(name?: Name): Parameter<Name, string> =>
  textual('alias', (name ?? 'alias') as Name);

/** Name of a bone, a morph, a voice or a variable. */
export const name = <const Name extends string>(label: Name, fallback?: string): Parameter<Name, string> =>
  textual('name', label, fallback);

/** A file on the avatar's machine, relative to its content, with `/` between folders. */
export const file = <const Name extends string = 'file'>(label?: Name): Parameter<Name, string> =>
  textual('file', (label ?? 'file') as Name);

/** Text on one line. */
export const text = <const Name extends string = 'text'>(label?: Name): Parameter<Name, string> =>
  textual('text', (label ?? 'text') as Name);

/** Text to show. Line breaks are sent as `\n`, two characters, which the avatar converts back. */
export function shownText<const Name extends string = 'text'>(label?: Name): Parameter<Name, string> {
  return {
    ...text(label),
    kind: 'shown text',
    rule: 'text of at least one character, without |',
    write: (value) =>
      typeof value === 'string' ? oneLine(value.replace(/\r\n?|\n/g, '\\n'), FORBIDDEN) : undefined,
    read: (wire) => orUndefined(wire.replace(/\\[nr]/g, '\n')),
  };
}

/** The whole rest of the line, `|` included: text that may contain `|`, or a message in a message. */
export function rest<const Name extends string>(label: Name, kind = 'text'): Parameter<Name, string> {
  return {
    ...textual(kind, label),
    rule: 'text of at least one character, without line breaks',
    rest: true,
    write: (value) => oneLine(value, FORBIDDEN_IN_REST),
    read: orUndefined,
  };
}

const writeNumber = (value: unknown, min: number, max: number): string | undefined =>
  typeof value === 'number' && Number.isFinite(value) && value >= min && value <= max
    ? String(value)
    : undefined;
const readNumber = (wire: string): number | undefined => (NUMBER.test(wire) ? Number(wire) : undefined);

/** A finite number. Its name should state the unit: `durationSeconds`. */
export function number<const Name extends string>(
  label: Name,
  limits: { min?: number; max?: number; integer?: boolean; fallback?: number } = {},
): Parameter<Name, number> {
  const { min = -Infinity, max = Infinity, integer = false, fallback } = limits;
  const range =
    min === -Infinity && max === Infinity
      ? ''
      : max === Infinity
        ? ` of at least ${min}`
        : ` from ${min} to ${max}`;
  return {
    name: label,
    kind: 'number',
    hint: label,
    rule: `a finite ${integer ? 'whole ' : ''}number${range}`,
    ...(fallback === undefined ? {} : { fallback: String(fallback) }),
    write: (value) => (integer && !Number.isInteger(value) ? undefined : writeNumber(value, min, max)),
    read: readNumber,
  };
}

/** One of some words; the first is the avatar's own default. */
export function choice<const Name extends string, const Words extends readonly [string, ...string[]]>(
  label: Name,
  ...words: Words
): Parameter<Name, Words[number]> {
  return {
    name: label,
    kind: 'choice',
    hint: words.join(' or '),
    rule: `one of ${words.join(', ')}`,
    choices: words,
    fallback: words[0],
    write: (value) => (words.includes(value) ? value : undefined),
    read: (wire) => words.find((word) => word === wire),
  };
}

/** A boolean as two words, ON and OFF unless told otherwise. */
export function flag<const Name extends string>(
  label: Name,
  fallback: boolean,
  on = 'ON',
  off = 'OFF',
): Parameter<Name, boolean> {
  return {
    name: label,
    kind: 'choice',
    hint: `${on} or ${off}`,
    rule: 'true or false',
    choices: [on, off],
    fallback: fallback ? on : off,
    write: (value) => (typeof value === 'boolean' ? (value ? on : off) : undefined),
    read: (wire) => (wire === on ? true : wire === off ? false : undefined),
  };
}

function numbers<const Name extends string, Value extends readonly number[]>(
  label: Name,
  kind: string,
  hint: string,
  limits: { min?: number; max?: number; fallback?: string } = {},
): Parameter<Name, Value> {
  const count = hint.split(',').length;
  const { min = -Infinity, max = Infinity, fallback } = limits;
  return {
    name: label,
    kind,
    hint,
    rule: `${count} finite numbers (${hint})${max === Infinity ? '' : `, each from ${min} to ${max}`}`,
    ...(fallback === undefined ? {} : { fallback }),
    write: (value) => {
      if (!Array.isArray(value) || value.length !== count) return undefined;
      const parts = value.map((part: unknown) => writeNumber(part, min, max));
      return parts.includes(undefined) ? undefined : parts.join(',');
    },
    read: (wire) => {
      const parts = wire.split(',').map(readNumber);
      return parts.length === count && !parts.includes(undefined) ? (parts as unknown as Value) : undefined;
    },
  };
}

/** Three numbers: a place (right-handed, y up) or a rotation in degrees. */
export type Triple = readonly [number, number, number];
/** Red, green, blue and opacity, each 0 to 1. */
export type Rgba = readonly [number, number, number, number];

/** A place in space. */
export const position = <const Name extends string>(label: Name): Parameter<Name, Triple> =>
  numbers(label, 'position', 'x,y,z', { fallback: '0,0,0' });
/** A rotation about the three axes, in degrees. */
export const rotation = <const Name extends string>(label: Name): Parameter<Name, Triple> =>
  numbers(label, 'rotation', 'rx,ry,rz', { fallback: '0,0,0' });
/** A colour without opacity. */
export const rgb = <const Name extends string>(label: Name): Parameter<Name, Triple> =>
  numbers(label, 'colour', 'r,g,b', { min: 0, max: 1 });
/** A colour with opacity. */
export const rgba = <const Name extends string>(label: Name, fallback?: string): Parameter<Name, Rgba> =>
  numbers(label, 'colour', 'r,g,b,a', { min: 0, max: 1, ...(fallback === undefined ? {} : { fallback }) });
/** A colour and a thickness. */
export const edge = <const Name extends string>(
  label: Name,
): Parameter<Name, readonly [number, number, number, number, number]> =>
  numbers(label, 'edge', 'r,g,b,a,thickness', { min: 0, fallback: '0,0,0,0,0' });
/** Two numbers. */
export const pair = <const Name extends string>(
  label: Name,
  hint: string,
): Parameter<Name, readonly [number, number]> => numbers(label, 'numbers', hint);
/** Three numbers of other sorts. */
export const triple = <const Name extends string>(label: Name, hint: string): Parameter<Name, Triple> =>
  numbers(label, 'numbers', hint);

function list<const Name extends string>(
  label: Name,
  separator: '|' | ',',
  limits: { min?: number; max?: number },
): Parameter<Name, readonly string[]> {
  const { min = 1, max = Infinity } = limits;
  return {
    name: label,
    kind: 'list',
    hint: `${label}${separator}…`,
    rule: `${max === Infinity ? `at least ${min}` : `${min} to ${max}`} texts without ${separator}, | and line breaks`,
    rest: separator === '|',
    write: (value) => {
      if (!Array.isArray(value) || value.length < min || value.length > max) return undefined;
      const ok = value.every(
        (item) => oneLine(item, FORBIDDEN) !== undefined && !String(item).includes(separator),
      );
      return ok ? value.join(separator) : undefined;
    },
    read: (wire) => {
      const items = wire.split(separator);
      return items.length >= min && items.length <= max && !items.includes('') ? items : undefined;
    },
  };
}

/** Texts separated by commas, in one argument. */
export const names = <const Name extends string>(
  label: Name,
  limits: { min?: number; max?: number } = {},
): Parameter<Name, readonly string[]> => list(label, ',', limits);

/** Texts to the end of the line, each in its own argument. */
export const items = <const Name extends string>(
  label: Name,
  limits: { min?: number; max?: number } = {},
): Parameter<Name, readonly string[]> => list(label, '|', limits);

/** A phoneme with the time it lasts, in milliseconds. */
export type TimedPhoneme = readonly [phoneme: string, durationMs: number];

/** Phonemes with their times: `a,300,i,300` (protocol.md §7). */
export function phonemes<const Name extends string>(label: Name): Parameter<Name, readonly TimedPhoneme[]> {
  const PHONEME = /^[A-Za-z]+$/;
  return {
    name: label,
    kind: 'phonemes',
    hint: 'phoneme,ms,…',
    rule: 'pairs of a phoneme and its milliseconds, at least one',
    write: (value) => {
      if (!Array.isArray(value) || value.length === 0) return undefined;
      const pairs = (value as readonly TimedPhoneme[]).map(([phoneme, ms]) => {
        const time = writeNumber(ms, 0, 600_000);
        return PHONEME.test(phoneme) && time !== undefined ? `${phoneme},${time}` : undefined;
      });
      return pairs.includes(undefined) ? undefined : pairs.join(',');
    },
    read: (wire) => {
      const fields = wire.split(',');
      const pairs: TimedPhoneme[] = [];
      for (let i = 0; i < fields.length; i += 2) {
        const ms = readNumber(fields[i + 1] ?? '');
        if (!PHONEME.test(fields[i]!) || ms === undefined) return undefined;
        pairs.push([fields[i]!, ms]);
      }
      return pairs;
    },
  };
}

/** Morphs with their rates from 0 to 1: `smile=0.5,blink=1` (protocol.md §3). */
export function rates<const Name extends string>(
  label: Name,
): Parameter<Name, Readonly<Record<string, number>>> {
  return {
    name: label,
    kind: 'rates',
    hint: 'morph=rate,…',
    rule: 'morphs, each with a rate from 0 to 1, at least one, and no name with |, comma or =',
    rest: true,
    write: (value) => {
      const pairs = Object.entries(value).map(([morph, rate]) => {
        const wire = writeNumber(rate, 0, 1);
        const ok = oneLine(morph, FORBIDDEN) !== undefined && !/[,=]/.test(morph) && wire !== undefined;
        return ok ? `${morph}=${wire}` : undefined;
      });
      return pairs.length === 0 || pairs.includes(undefined) ? undefined : pairs.join(',');
    },
    read: (wire) => {
      const found: [string, number][] = [];
      for (const field of wire.split(',')) {
        const [morph = '', rate = ''] = field.split('=');
        const value = readNumber(rate);
        if (morph === '' || value === undefined) return undefined;
        found.push([morph, value]);
      }
      return Object.fromEntries(found);
    },
  };
}
