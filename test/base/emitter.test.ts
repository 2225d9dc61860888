import { describe, expect, it } from 'vitest';
import { Emitter } from '../../src/base/emitter.js';

describe('Emitter', () => {
  it('keeps telling the other listeners when one throws, and reports what it threw', () => {
    const thrown: unknown[] = [];
    const emitter = new Emitter<{ tick: number }>((error) => thrown.push(error));
    const heard: number[] = [];
    emitter.on('tick', () => {
      throw new Error('broken listener');
    });
    emitter.on('tick', (n) => heard.push(n));
    emitter.emit('tick', 1);
    expect(heard).toEqual([1]);
    expect(String(thrown[0])).toMatch(/broken listener/);
  });

  it('ends a subscription through the returned function, and once() after the first event', () => {
    const emitter = new Emitter<{ tick: number }>();
    const heard: string[] = [];
    const off = emitter.on('tick', (n) => heard.push(`on ${n}`));
    emitter.once('tick', (n) => heard.push(`once ${n}`));
    emitter.emit('tick', 1);
    off();
    emitter.emit('tick', 2);
    expect(heard).toEqual(['on 1', 'once 1']);
    expect(emitter.listenerCount('tick')).toBe(0);
  });

  it('ends with off() what on() and once() began', () => {
    const emitter = new Emitter<{ tick: number }>();
    const heard: number[] = [];
    const listener = (n: number): unknown => heard.push(n);
    emitter.once('tick', listener);
    emitter.off('tick', listener);
    emitter.on('tick', listener);
    emitter.emit('tick', 1);
    emitter.off('tick', listener);
    emitter.emit('tick', 2);
    expect(heard).toEqual([1]);
  });
});
