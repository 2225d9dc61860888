import { inspect } from 'node:util';
import { BridgeError } from '../../base/errors.js';
import type { Parameter, Parameters } from './parameters.js';

type ValueOf<P> = P extends Parameter<string, infer Value> ? Value : never;

/** The values of parameters in their order, as a builder takes them. */
export type Values<P extends Parameters> = { [I in keyof P]: ValueOf<P[I]> };

/** The values of parameters by name. */
export type Named<P extends Parameters> = { [Q in P[number] as Q['name']]: ValueOf<Q> };

/** A kind of message: its fixed words and its arguments. */
export interface Shape<A extends Parameters = Parameters, O extends Parameters = Parameters> {
  /** The type, and fixed words after it: `MOTION_ADD`, `MENU|ADD`, `__AV_SETMODEL`. */
  readonly head: string;
  /** Separator of arguments: a comma in commands that begin with `__AV`, else `|`. */
  readonly separator: '|' | ',';
  readonly args: A;
  /** Optional arguments, which may be left out from the end. */
  readonly options: O;
}

/** A command, as the table of messages describes it. */
export interface Command<A extends Parameters = Parameters, O extends Parameters = Parameters> extends Shape<
  A,
  O
> {
  /** Head of the message that answers it, then the names of the arguments returned in it, in order. */
  readonly answer?: readonly string[];
  /** Description, in English. */
  readonly en: string;
  /** Description, in Japanese. */
  readonly ja: string;
}

/** Columns of a table row beside the head. */
interface CommandRow<A extends Parameters, O extends Parameters> {
  readonly args?: A;
  readonly options?: O;
  readonly answer?: readonly string[];
  readonly en: string;
  readonly ja: string;
}

/** A row of the table of commands. */
export function command<const A extends Parameters = [], const O extends Parameters = []>(
  head: string,
  row: CommandRow<A, O>,
): Command<A, O> {
  return {
    head,
    separator: head.startsWith('__AV') ? ',' : '|',
    args: row.args ?? ([] as Parameters as A),
    options: row.options ?? ([] as Parameters as O),
    ...(row.answer === undefined ? {} : { answer: row.answer }),
    en: row.en,
    ja: row.ja,
  };
}

/** Makes a command line from values; the last argument holds the optional ones by name. */
export type Builder<C> =
  C extends Command<infer A, infer O>
    ? O extends readonly []
      ? (...values: Values<A>) => string
      : (...values: [...values: Values<A>, options?: Partial<Named<O>>]) => string
    : never;

/** One family of commands, as functions that make their lines. */
export type Family<Rows> = { readonly [Key in keyof Rows]: Builder<Rows[Key]> };

/** The functions of one family. @throws (each of them) BridgeError COMMAND_INVALID naming the argument */
export function family<const Rows extends Record<string, Command>>(rows: Rows): Family<Rows> {
  const functions = Object.entries(rows).map(([key, row]) => [
    key,
    (...values: unknown[]) =>
      write(row, values.slice(0, row.args.length), values[row.args.length] as Record<string, unknown>),
  ]);
  return Object.fromEntries(functions) as Family<Rows>;
}

function write(shape: Shape, values: unknown[], options: Record<string, unknown> = {}): string {
  const fields = shape.args.map((parameter, i) => writeOne(shape, parameter, values[i]));
  const known = new Set<string>(shape.options.map((parameter) => parameter.name));
  for (const key of Object.keys(options)) {
    if (!known.has(key))
      throw invalid(shape, `has no option '${key}'; it has ${[...known].join(', ') || 'none'}`);
  }
  const given = shape.options.map((parameter) => options[parameter.name] !== undefined);
  for (const parameter of shape.options.slice(0, given.lastIndexOf(true) + 1)) {
    const value = options[parameter.name];
    if (value !== undefined) fields.push(writeOne(shape, parameter, value));
    else if (parameter.fallback !== undefined) fields.push(parameter.fallback);
    else throw invalid(shape, `needs '${parameter.name}' when an option behind it is given`);
  }
  return [shape.head, ...fields].join(shape.separator);
}

function writeOne(shape: Shape, parameter: Parameter, value: unknown): string {
  const wire = parameter.write(value);
  const splits = shape.separator === ',' && parameter.rest !== true && wire?.includes(',') === true;
  if (wire === undefined || splits) {
    const rule = splits ? 'text without a comma' : parameter.rule;
    throw invalid(shape, `was given ${show(value)} as '${parameter.name}', which must be ${rule}`);
  }
  return wire;
}

function invalid(shape: Shape, fault: string): BridgeError {
  return new BridgeError('COMMAND_INVALID', `The command ${shape.head} ${fault}.`);
}

function show(value: unknown): string {
  const shown = inspect(value, { breakLength: Infinity });
  return shown.length > 60 ? `${shown.slice(0, 60)}…` : shown;
}

/** Splits a line into words, including those of its head. */
export function words(line: string): string[] {
  return line.split(line.startsWith('__AV') ? ',' : '|');
}

/**
 * Reads the arguments of a line whose head matches this shape. Empty arguments are skipped, as the avatar does
 * (protocol.md §3), except in an argument that takes the rest of the line.
 * @param fields the line's words
 * @returns the values by name, or undefined when their number or one of them does not fit
 */
export function read(shape: Shape, fields: readonly string[]): Record<string, unknown> | undefined {
  const values: Record<string, unknown> = {};
  let at = shape.head.split('|').length;
  for (const [i, parameter] of [...shape.args, ...shape.options].entries()) {
    while (parameter.rest !== true && fields[at] === '') at++;
    if (at >= fields.length) return i < shape.args.length ? undefined : values;
    const wire = parameter.rest === true ? fields.slice(at).join(shape.separator) : fields[at]!;
    const value = parameter.read(wire);
    if (value === undefined) return undefined;
    values[parameter.name] = value;
    at = parameter.rest === true ? fields.length : at + 1;
  }
  return fields.slice(at).every((field) => field === '') ? values : undefined;
}

/** Index of shapes by the head of a line, in the order of the table's rows. */
export class ShapeIndex<S extends Shape> {
  readonly #byType = new Map<string, { name: string; shape: S; head: string[] }[]>();

  constructor(rows: Iterable<readonly [name: string, shape: S]>) {
    for (const [name, shape] of rows) {
      const head = shape.head.split('|');
      const type = head[0]!;
      const same = this.#byType.get(type) ?? [];
      same.push({ name, shape, head });
      this.#byType.set(type, same);
    }
  }

  /** Returns every row with this head; none for an unknown head. */
  find(fields: readonly string[]): { name: string; shape: S }[] {
    const same = this.#byType.get(fields[0] ?? '') ?? [];
    return same.filter(({ head }) => head.every((word, i) => fields[i] === word));
  }

  /** Returns the first row that can read the whole line, with the values by name. */
  read(fields: readonly string[]): { name: string; values: Record<string, unknown> } | undefined {
    for (const { name, shape } of this.find(fields)) {
      const values = read(shape, fields);
      if (values !== undefined) return { name, values };
    }
    return undefined;
  }
}
