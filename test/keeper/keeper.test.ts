import { readdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Backoff } from '../../src/keeper/backoff.js';
import { until } from '../support/bridge-rig.js';
import { Client, startKeeper } from './support/keeper-rig.js';

/** The number at the end of the first such word that came. */
function pidAfter(word: string, client: Client): number {
  return Number(new RegExp(`${word} (\\d+)`).exec(client.text)?.[1]);
}

describe('the keeper', () => {
  it('lets connections wait until a worker is ready, and then loses none of what they said', async () => {
    const { port } = await startKeeper('trivial');
    const clients = Array.from({ length: 20 }, () => new Client(port).say('hello'));
    await until(() => clients.every(({ text }) => text.startsWith('pid ')), 'an answer to each');
    expect(new Set(clients.map(({ text }) => text)).size).toBe(1);
  });

  it('refuses more than may wait', async () => {
    const { keeper, port } = await startKeeper('trivial', { maxWaiting: 5 });
    const clients = Array.from({ length: 12 }, () => new Client(port).say('hello'));
    await until(() => clients.every(({ text, closed }) => closed || text !== ''), 'an end for each');
    expect(clients.filter(({ text }) => text !== '').length).toBeGreaterThanOrEqual(5);
    expect(keeper.heldCount).toBeLessThanOrEqual(12);
  });

  it('hands what a killed worker had to the next one, and the other side sees nothing of it', async () => {
    const { port, log } = await startKeeper('trivial');
    const client = new Client(port).say('keep');
    await until(() => client.text.startsWith('kept'), 'the worker');
    process.kill(pidAfter('kept', client), 'SIGKILL');
    await until(() => client.text.includes('adopted'), 'the next worker');
    expect(pidAfter('adopted', client)).not.toBe(pidAfter('kept', client));
    client.say('?');
    await until(() => client.text.includes('pid'), 'an answer of the next worker');
    expect(client.closed).toBe(false);
    expect(log.join()).toContain('it was ended by SIGKILL');
  });

  it('lets go of a connection when either side has closed it', async () => {
    const { keeper, port } = await startKeeper('trivial');
    const clients = Array.from({ length: 10 }, () => new Client(port).say('keep'));
    await until(() => clients.every(({ text }) => text.startsWith('kept')), 'the worker');
    expect(keeper.heldCount).toBe(10);
    for (const client of clients) client.socket.destroy();
    await until(() => keeper.heldCount === 0, 'the release of all');
  });

  it('waits ever longer while workers crash, names the reason, and holds the avatars all the while', async () => {
    const { port, log } = await startKeeper('trivial');
    const held = new Client(port).say('keep');
    await until(() => held.text.startsWith('kept'), 'the worker');
    for (let crash = 1; crash <= 3; crash += 1) {
      new Client(port).say('crash');
      await until(() => log.length === crash, 'the crash');
      await until(() => held.text.split('adopted').length - 1 === crash, 'the next worker');
    }
    expect(log[0]).toMatch(/ended with status 7.*at once.*held/);
    expect(log[1]).toMatch(/in 100 ms/);
    expect(log[2]).toMatch(/in 200 ms/);
    expect(held.closed).toBe(false);
  });

  it('ends with the status of a worker that cannot even start', async () => {
    const { keeper } = await startKeeper('trivial', { env: { TRIVIAL_FAIL: '5' } });
    expect(await keeper.ended).toBe(5);
  });

  it('says that the port is taken', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    const { port } = server.address() as { port: number };
    const rig = await startKeeper('trivial', { env: { TRIVIAL_PORT: String(port) } });
    expect(await rig.keeper.ended).toBe(3);
  });

  it('has the next worker take over at once where one is kept in reserve', async () => {
    const { keeper, port, log } = await startKeeper('trivial', {
      reserveAfterMs: 0,
      env: { TRIVIAL_STANDBY: '1' },
    });
    const client = new Client(port).say('keep');
    await until(() => client.text.startsWith('kept'), 'the worker');
    const reserve = await value(() => keeper.workers.find(({ state }) => state === 'reserve')?.pid);
    process.kill(pidAfter('kept', client), 'SIGKILL');
    await until(() => client.text.includes('adopted'), 'the reserve');
    expect(pidAfter('adopted', client)).toBe(reserve);
    expect(log.join()).toContain('in reserve takes over');
    await until(() => keeper.workers.some(({ state }) => state === 'reserve'), 'another reserve');
  });

  it('has a new worker take over on purpose, and the old one end when it has passed everything on', async () => {
    const { keeper, port, log } = await startKeeper('trivial');
    const clients = Array.from({ length: 5 }, () => new Client(port).say('keep'));
    await until(() => clients.every(({ text }) => text.startsWith('kept')), 'the worker');
    const old = pidAfter('kept', clients[0]!);
    clients[0]!.say('restart');
    await until(() => clients.every(({ text }) => text.includes('adopted')), 'the new worker');
    await until(() => keeper.workers.length === 1, 'the end of the old worker');
    // The one that works is told when another one starts beside it, and when it has started.
    expect(clients[0]!.text).toMatch(/^kept \d+crowded alone adopted/);
    expect(keeper.workers[0]).toMatchObject({ state: 'active' });
    expect(keeper.workers[0]!.pid).not.toBe(old);
    expect(clients.some(({ closed }) => closed)).toBe(false);
    expect(log.filter((line) => line.startsWith('error'))).toEqual([]);
  });

  it('gives the new worker what the old one passes on, and what comes meanwhile, while the old one goes on', async () => {
    const { keeper, port } = await startKeeper('trivial', { env: { TRIVIAL_LINGER_MS: '600000' } });
    const clients = Array.from({ length: 3 }, () => new Client(port).say('keep'));
    await until(() => clients.every(({ text }) => text.startsWith('kept')), 'the worker');
    const old = pidAfter('kept', clients[0]!);
    const coming: Client[] = [];
    const timer = setInterval(() => coming.push(new Client(port).say('?')), 5);
    keeper.restart();
    await until(() => clients.every(({ text }) => text.includes('adopted')), 'the new worker');
    clearInterval(timer);
    expect(keeper.workers[0]).toEqual({ pid: old, state: 'retiring' });
    expect(clients.map((client) => pidAfter('adopted', client))).not.toContain(old);
    await until(() => coming.every(({ text }) => text.startsWith('pid')), 'an answer to each');
  });

  it('replaces a worker that hangs, and ends it', async () => {
    const { keeper, port, log } = await startKeeper('trivial', { yieldTimeoutMs: 50, hungTimeoutMs: 200 });
    const client = new Client(port).say('keep');
    await until(() => client.text.startsWith('kept'), 'the worker');
    const hung = pidAfter('kept', client);
    process.kill(hung, 'SIGSTOP');
    keeper.restart();
    await until(() => client.text.includes('adopted'), 'the new worker');
    expect(pidAfter('adopted', client)).not.toBe(hung);
    expect(keeper.workers.map(({ pid }) => pid)).not.toContain(hung);
    expect(log.join()).toContain('The old worker hangs');
  });

  it('gives a planned restart up when the new worker does not start, and the old one goes on', async () => {
    const env: NodeJS.ProcessEnv = { ...process.env };
    const { keeper, port, log } = await startKeeper('trivial', { env });
    const client = new Client(port).say('keep');
    await until(() => client.text.startsWith('kept'), 'the worker');
    keeper.restart();
    const fresh = await value(() => keeper.workers[1]?.pid);
    process.kill(fresh, 'SIGKILL');
    await until(() => log.join().includes('the old worker goes on'), 'the news of it');
    client.say('?');
    await until(() => client.text.includes('pid'), 'an answer of the old worker');
    expect(pidAfter('pid', client)).toBe(pidAfter('kept', client));
  });

  it.runIf(process.platform === 'linux')('has no more files open after 12 crashes than after 3', async () => {
    const { keeper, port } = await startKeeper('trivial', { backoff: new Backoff({ firstMs: 0 }) });
    const clients = Array.from({ length: 5 }, () => new Client(port).say('keep'));
    await until(() => clients.every(({ text }) => text.startsWith('kept')), 'the worker');
    const openFiles: number[] = [];
    for (let crash = 1; crash <= 12; crash += 1) {
      process.kill(keeper.workers[0]!.pid!, 'SIGKILL');
      await until(
        () => clients.every(({ text }) => text.split('adopted').length - 1 === crash),
        'all to be adopted',
      );
      openFiles.push(readdirSync('/proc/self/fd').length);
    }
    expect(Math.max(...openFiles.slice(3))).toBeLessThanOrEqual(Math.max(...openFiles.slice(0, 3)) + 2);
    expect(keeper.heldCount).toBe(5);
    expect(clients.some(({ closed }) => closed)).toBe(false);
  });
});

/** Waits for a value. */
async function value<T>(get: () => T | undefined): Promise<T> {
  await until(() => get() !== undefined, 'a value');
  return get()!;
}
