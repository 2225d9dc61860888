import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { abortable } from '../../src/base/abortable.js';

describe('abortable', () => {
  it('passes a value or an error through', async () => {
    const { signal } = new AbortController();
    await expect(abortable(Promise.resolve(7), signal)).resolves.toBe(7);
    await expect(abortable(Promise.reject(new Error('no')), signal)).rejects.toThrow('no');
  });

  it('ends a wait that would never end, with the reason', async () => {
    const abort = new AbortController();
    const waiting = abortable(new Promise(() => undefined), abort.signal);
    const reason = new Error('enough');
    abort.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    await expect(abortable(new Promise(() => undefined), abort.signal)).rejects.toBe(reason);
  });

  it('leaves no listener behind, however often it is called', async () => {
    const { signal } = new AbortController();
    for (let i = 0; i < 100; i++) await abortable(Promise.resolve(i), signal);
    await abortable(Promise.reject(new Error('no')), signal).catch(() => undefined);
    await new Promise(setImmediate);
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  });
});
