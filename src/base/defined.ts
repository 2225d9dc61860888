/** A type whose fields may be left out, without `undefined` as a value. */
export type Defined<Shape extends object> = {
  [Key in keyof Shape]: Exclude<Shape[Key], undefined>;
};

/** Returns a copy of an object without the fields that are undefined, so that a spread of it overrides nothing. */
export function defined<Shape extends object>(shape: Shape): Defined<Shape> {
  return Object.fromEntries(
    Object.entries(shape).filter(([, value]) => value !== undefined),
  ) as Defined<Shape>;
}
