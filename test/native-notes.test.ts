import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { inProcess } from './support/command.js';
import { inProject } from './support/paths.js';
import { licencesPage } from './support/write-licences.js';

const READ = `
import json, plistlib, sys, xml.etree.ElementTree as tree
def told(element):
    return {'name': element.tag, 'text': (element.text or '').strip(), 'children': [told(child) for child in element]}
path = sys.argv[1]
print(json.dumps(plistlib.load(open(path, 'rb')) if path.endswith('.plist') else told(tree.parse(path).getroot())))
`;

function read(file: string): unknown {
  return JSON.parse(
    execFileSync('python3', ['-c', READ, inProject(`native-notes/${file}`)], { encoding: 'utf8' }),
  );
}

interface Element {
  readonly name: string;
  readonly text: string;
  readonly children: readonly Element[];
}

/** Elements that the Task Scheduler's schema allows below each element that the file uses, in their required order. */
const SCHEMA: Record<string, readonly string[]> = {
  Task: ['RegistrationInfo', 'Triggers', 'Principals', 'Settings', 'Actions'],
  RegistrationInfo: ['URI', 'SecurityDescriptor', 'Source', 'Date', 'Author', 'Version', 'Description'],
  Triggers: ['LogonTrigger'],
  LogonTrigger: [
    'Enabled',
    'StartBoundary',
    'EndBoundary',
    'Repetition',
    'ExecutionTimeLimit',
    'UserId',
    'Delay',
  ],
  Principals: ['Principal'],
  Principal: ['UserId', 'LogonType', 'GroupId', 'DisplayName', 'RunLevel'],
  Settings: [
    'MultipleInstancesPolicy',
    'DisallowStartIfOnBatteries',
    'StopIfGoingOnBatteries',
    'AllowHardTerminate',
    'StartWhenAvailable',
    'Enabled',
    'Hidden',
    'ExecutionTimeLimit',
    'Priority',
    'RestartOnFailure',
  ],
  RestartOnFailure: ['Interval', 'Count'],
  Actions: ['Exec'],
  Exec: ['Command', 'Arguments', 'WorkingDirectory'],
};

function check({ name, children }: Element): void {
  const short = (full: string): string =>
    full.replace('{http://schemas.microsoft.com/windows/2004/02/mit/task}', '');
  const allowed = SCHEMA[short(name)];
  if (children.length > 0) expect(allowed, `${short(name)} may have children`).toBeDefined();
  const order = children.map((child) => allowed!.indexOf(short(child.name)));
  expect(order, `children of ${short(name)}`).not.toContain(-1);
  expect(order, `order below ${short(name)}`).toEqual([...order].sort((a, b) => a - b));
  children.forEach(check);
}

it('has a Task Scheduler file with elements of the schema, in order, without a time limit', () => {
  const task = read('mmdagent-bridge-task.xml') as Element;
  check(task);
  expect(JSON.stringify(task)).toContain('"PT0S"');
});

it('starts serve with options that exist in every unit file', async () => {
  const { out: serve } = await inProcess(['serve', '--help']);
  for (const file of ['mmdagent-bridge.service', 'mmdagent-bridge-task.xml', 'mmdagent-bridge.plist']) {
    const text = readFileSync(inProject(`native-notes/${file}`), 'utf8');
    const lines = text.split('\n').filter((line) => /(?:mmdagent-bridge |<string>)serve/.test(line));
    expect(lines.length, file).toBeGreaterThan(0);
    for (const [flag] of lines.join(' ').matchAll(/--[a-z][a-z-]*/g)) expect(serve, file).toContain(flag);
  }
});

it('has a launch agent that leaves the worker alive and waits longer than a stop takes', () => {
  expect(read('mmdagent-bridge.plist')).toMatchObject({
    Label: 'mmdagent-bridge',
    AbandonProcessGroup: true,
    ExitTimeOut: 20,
    ProgramArguments: ['/usr/bin/env', 'mmdagent-bridge', 'serve'],
    EnvironmentVariables: { PATH: expect.stringContaining('/opt/homebrew/bin') as string },
  });
});

it('names the licence of every package that an installation brings', async () => {
  const page = readFileSync(inProject('native-notes/licences.md'), 'utf8');
  expect(page, 'run `npm run docs:licences`').toBe(await licencesPage());
  expect(page).not.toContain('see the package');
});
