import { expect, it } from 'vitest';
import { TOKEN_PATTERN } from '../../src/base/token.js';
import { inProcess } from '../support/command.js';

it('token prints a new secret that the service accepts', async () => {
  const first = await inProcess(['token']);
  const second = await inProcess(['token', '--json']);
  const token = first.out.trim();
  expect(token).toMatch(/^[0-9a-f]{48}$/);
  expect(token).toMatch(TOKEN_PATTERN);
  const other = (JSON.parse(second.out) as { token: string }).token;
  expect(other).toMatch(/^[0-9a-f]{48}$/);
  expect(other).not.toBe(token);
});
