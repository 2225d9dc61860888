import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { until } from '../support/bridge-rig.js';
import { ask, Client, startKeeper } from './support/keeper-rig.js';

describe('a planned restart', () => {
  it('leaves no request unanswered, and hands on connections that have not said anything yet', async () => {
    const { keeper, port } = await startKeeper('worker');
    await until(() => keeper.workers[0]?.state === 'active', 'the worker', 30_000);
    let over = false;
    const answers: ({ pid: number } | undefined)[] = [];
    const asking = Array.from({ length: 4 }, async () => {
      while (!over) {
        answers.push(await ask<{ pid: number }>(port, '/pid'));
        await sleep(1);
      }
    });
    for (let restart = 1; restart <= 2; restart += 1) {
      const before = keeper.workers[0]!.pid;
      const quiet = Array.from({ length: 3 }, () => new Client(port));
      await until(() => keeper.heldCount >= 3, 'the connections', 30_000);
      keeper.restart();
      await until(
        () => keeper.workers.length === 1 && keeper.workers[0]!.pid !== before,
        'the end of the old worker',
        30_000,
      );
      const { pid } = keeper.workers[0]!;
      for (const client of quiet)
        client.say('GET /pid HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
      await until(
        () => quiet.every(({ text }) => text.includes(`"pid":${pid}`)),
        'an answer to each',
        30_000,
      );
    }
    over = true;
    await Promise.all(asking);
    expect(new Set(answers.map((answer) => answer?.pid)).size).toBe(3);
    expect(answers).not.toContain(undefined);
  });
});
