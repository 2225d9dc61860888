import { describe, expect, it } from 'vitest';
import { inProcess } from '../support/command.js';

describe('demo', () => {
  it('shows the whole way and ends with 0 only if every sample was heard', async () => {
    const { exit, out, err } = await inProcess(['demo'], { columns: 100 });
    expect([exit, err]).toEqual([0, '']);
    expect(out).toContain('avatar: runs MOTION_ADD|0|greeting|greeting.vmd');
    expect(out).toMatch(/hello\.wav \[#+\.*\] \d\.\d\d s \/ 4\.41 s {2}held \d+ ms \(lead 120\)/);
    expect(out).toMatch(/^samples expected {2}70504\nsamples heard {5}70504 /m);
    expect(out).toMatch(/^first sound {7}\d+ ms after the first frame$/m);
    expect(out.trimEnd().split('\n').at(-1)).toBe('The avatar heard every sample.');
  });
});
