import { describe, expect, it } from 'vitest';
import { Lifetime } from '../../src/base/lifetime.js';

describe('Lifetime', () => {
  it('closes in reverse order of opening, once', async () => {
    const order: string[] = [];
    const lifetime = new Lifetime();
    lifetime.own('a', () => void order.push('a'));
    lifetime.own('b', async () => void order.push('b'));
    await Promise.all([lifetime.close(), lifetime.close()]);
    expect(order).toEqual(['b', 'a']);
  });

  it('closes the rest when one closer throws, and reports it by name', async () => {
    const order: string[] = [];
    const lifetime = new Lifetime();
    lifetime.own('a', () => void order.push('a'));
    lifetime.own('b', () => {
      throw new Error('b broke');
    });
    await expect(lifetime.close()).rejects.toThrow(/b broke/);
    expect(order).toEqual(['a']);
  });

  it('gives up a closer that hangs at the deadline', async () => {
    const lifetime = new Lifetime({ deadlineMs: 10 });
    let closed = false;
    lifetime.own('a', () => void (closed = true));
    lifetime.own('hanging thing', () => new Promise(() => undefined));
    await expect(lifetime.close()).rejects.toThrow(/hanging thing did not close within 10 ms/);
    expect(closed).toBe(true);
  });

  it('aborts its signal at once and closes what comes late', async () => {
    const lifetime = new Lifetime();
    const closing = lifetime.close();
    expect(lifetime.signal.aborted).toBe(true);
    let closed = false;
    lifetime.own('late', () => void (closed = true));
    await closing;
    await Promise.resolve();
    expect(closed).toBe(true);
  });

  it('does not close what was given back', async () => {
    const lifetime = new Lifetime();
    let closed = false;
    lifetime.own('a', () => void (closed = true))();
    await lifetime.close();
    expect(closed).toBe(false);
  });
});
