import type { Decode } from '../pcm.js';

/**
 * A decoder whose code is loaded when it is first needed.
 * @param load such as `async () => (await import('./mp3.js')).decodeMp3`
 */
export function lazy(load: () => Promise<Decode>): Decode {
  return async function* (chunks, label, context, path) {
    const decode = await load();
    yield* decode(chunks, label, context, path);
  };
}
