import { afterEach, describe, expect, it } from 'vitest';
import { SimulatedAvatar } from '../../src/simulator/index.js';
import { killCommands, start } from '../support/command.js';
import { inProject } from '../support/paths.js';

/** Runs a command on a terminal of its own and passes on what it writes there. */
const PTY = 'import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)';

afterEach(killCommands);

describe.skipIf(process.platform === 'win32')('serve on a terminal', () => {
  it('writes a line for each event, warnings in colour', async () => {
    const serve = [
      inProject('dist/cli/main.js'),
      'serve',
      '--no-keeper',
      '--port',
      '0',
      '--ready-timeout-ms',
      '300',
    ];
    const run = start('python3', ['-c', PTY, process.execPath, ...serve], {
      env: { TERM: 'xterm', NO_COLOR: '' },
    });
    await run.says(/avatars connect at \/chat/);
    const port = /http:\/\/127\.0\.0\.1:(\d+)/.exec(run.out)![1]!;
    const avatar = new SimulatedAvatar({ url: `ws://127.0.0.1:${port}/chat`, modelAlias: 'other' });
    await avatar.connect();
    await run.says('--model');
    avatar.leave();
    await run.says('default disconnected');
    const lines = run.out.split(/\r?\n/).filter((line) => /^\S*\[?\d\d:\d\d:\d\d\.\d{3}/.test(line));
    expect(lines.length).toBeGreaterThanOrEqual(3);
    expect(lines[0]).toMatch(/^\[\d\d:\d\d:\d\d\.\d{3}\]:? .*default connected from 127\.0\.0\.1:\d+/);
    for (const line of lines) expect(line.match(/\d\d:\d\d:\d\d/g), line).toHaveLength(1);
    expect(lines.find((line) => line.includes('warning: default'))).toContain('\u001b[33m');
  });
});
