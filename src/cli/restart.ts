import { setTimeout as sleep } from 'node:timers/promises';
import { BridgeError } from '../base/errors.js';
import type { AboutJson } from '../service/routes/root.js';
import { withService, type AddCommand } from './command.js';
import { EXIT } from './exit-codes.js';
import { addClientOptions } from './flags.js';

/** Maximum start-up time of a new process, in ms; the keeper's own limit is lower. */
const READY_MS = 35_000;
const ASK_EVERY_MS = 100;

/** `restart`: loads new code or options without losing an avatar. */
export const addRestart: AddCommand = (program, run) => {
  const command = program
    .command('restart')
    .summary('restart the service without losing an avatar')
    .description(
      'Has the service start its code anew, with what its configuration says by now. A new process takes over as soon as ' +
        'it is ready; what is spoken goes on in the old one to its end. Avatars stay connected, and no sample is lost.',
    )
    .option('--json', 'as JSON');
  addClientOptions(command, { agent: false });
  command.action((flags: { json?: boolean }) =>
    run(
      command,
      (context) =>
        withService(command, context, async ({ client, signal }, before) => {
          const { terminal } = context;
          const startMs = performance.now();
          await client.post('/api/restart');
          const after = await another(before, () => client.check(), signal);
          const tookMs = Math.round(performance.now() - startMs);
          if (flags.json) terminal.json({ version: after.version, pid: after.pid, tookMs });
          else terminal.say(`A new process has taken over after ${tookMs} ms, version ${after.version}.`);
          return EXIT.ok;
        }),
      flags,
    ),
  );
};

/** Polls until another process answers. @throws BridgeError RESTART_FAILED */
async function another(
  before: AboutJson,
  ask: () => Promise<AboutJson>,
  signal: AbortSignal,
): Promise<AboutJson> {
  const endMs = performance.now() + READY_MS;
  while (performance.now() < endMs) {
    await sleep(ASK_EVERY_MS, undefined, { signal }).catch(() => {
      throw signal.reason as Error;
    });
    const about = await ask();
    if (about.pid !== before.pid) return about;
  }
  throw new BridgeError('RESTART_FAILED', 'No new process of the service was ready in time.');
}
