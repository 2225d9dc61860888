import { describe, expect, it } from 'vitest';
import { didYouMean, nearest } from '../../src/base/nearest.js';

describe('nearest', () => {
  const known = ['leadMs', 'frameMs', 'port', 'allowDangerous'];

  it.each([
    ['lead-ms', 'leadMs'],
    ['LEAD_MS', 'leadMs'],
    ['framMs', 'frameMs'],
    ['prot', 'port'],
    ['allow-dangerus', 'allowDangerous'],
    ['colour', undefined],
    ['', undefined],
  ])('takes %j for %j', (word, expected) => {
    expect(nearest(word, known)).toBe(expected);
  });

  it('suggests a word in a message, or says nothing', () => {
    expect(didYouMean('prot', known)).toBe('; did you mean port?');
    expect(didYouMean('volume', known)).toBe('');
  });
});
