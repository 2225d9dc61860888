/** Type whose optional fields do not allow `undefined` as a value. */
export type Defined<Shape extends object> = {
  [Key in keyof Shape]: Exclude<Shape[Key], undefined>;
};

/** Returns a copy of an object without its undefined fields, so that spreading it overrides nothing. */
export function defined<Shape extends object>(shape: Shape): Defined<Shape> {
  return Object.fromEntries(
    Object.entries(shape).filter(([, value]) => value !== undefined),
  ) as Defined<Shape>;
}
