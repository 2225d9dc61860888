/*
 * A worker as `serve` runs one, with the least that a test needs to steer it: plain requests on the avatars' own port.
 * /speak?agent=NAME&seed=N&samples=N  speaks noise of that seed and answers once the speech has ended
 * /flood?agent=NAME&count=N  sends it that many commands at once; /heard  answers with every TEST_ message that came
 * /doubts  answers with the names of those whose last frame may not have left when the process before was killed
 * /tcp  answers with the addresses by which avatars come over plain TCP
 * /pid  answers with the process id; /agents with the names of those that are ready
 */
import type { Agent } from '../../../src/agent/agent.js';
import { openBridge } from '../../../src/bridge.js';
import { KeeperClient } from '../../../src/keeper/keeper-client.js';
import { noise } from '../../support/signals.js';

const keeperClient = KeeperClient.ofProcess({
  standby: process.env['KEEPER_TEST_STANDBY'] !== undefined,
  log: { json: true, level: 'info' },
});
if (!keeperClient) throw new Error('A keeper has to start this.');
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
const debugging = process.env['KEEPER_TEST_LOG'] !== undefined;
const doubts: string[] = [];
const say =
  (level: string) =>
  (fields: { agent?: string }, message: string): void => {
    if (message.includes('may not have left')) doubts.push(fields.agent ?? 'default');
    if (debugging || level === 'error') console.error(process.pid, level, message, JSON.stringify(fields));
  };
const logger = {
  debug: say('debug'),
  info: say('info'),
  warn: say('warn'),
  error: say('error'),
  child: () => logger,
};
const tcpOf = (name: string): string[] => process.env[name]?.split(',') ?? [];
const bridge = await openBridge({
  keeperClient,
  logger,
  port: 0,
  tcpConnect: tcpOf('KEEPER_TEST_TCP_CONNECT'),
  tcpListen: tcpOf('KEEPER_TEST_TCP_LISTEN'),
  maxQueued: 1000,
  firstSoundMs: 0,
});

const heard: string[] = [];
const listen = (agent: Agent): void =>
  void agent.on('message', ({ text }) => {
    if (text.startsWith('TEST_')) heard.push(text);
  });
bridge.agents().forEach(listen);
bridge.on('agent', listen);

bridge.listener.handleRequests((request, response) => {
  const url = new URL(request.url ?? '/', 'http://localhost');
  const answer = (body: unknown): void => {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(body));
  };
  const text = (key: string): string => url.searchParams.get(key) ?? '';
  switch (url.pathname) {
    case '/speak': {
      const sound = noise(Number(text('samples')), 20_000, Number(text('seed')));
      try {
        void bridge
          .agent(text('agent') || 'default')
          .speak(sound, { sampleRateHz: 16_000 })
          .finished.then((end) => answer({ how: end.how, error: end.error?.message, gaps: end.gaps.count }));
      } catch (error) {
        answer({ how: 'refused', error: String(error) });
      }
      return;
    }
    case '/flood': {
      const agent = bridge.agent(text('agent') || 'default');
      for (let i = 0; i < Number(text('count')); i += 1)
        void agent.send(`TEST_FLOOD|${i}|${'x'.repeat(200)}`);
      return answer({});
    }
    case '/agents':
      return answer(
        bridge
          .agents()
          .filter(({ state }) => state === 'ready')
          .map(({ name }) => name),
      );
    case '/heard':
      return answer(heard);
    case '/tcp':
      return answer(bridge.tcpAddresses);
    case '/doubts':
      return answer(doubts);
    case '/restart':
      keeperClient.restart();
      return answer({});
    default:
      return answer({ pid: process.pid, rss: process.memoryUsage().rss });
  }
});

const over = (): void => void bridge.close().then(() => process.exit(0));
bridge.handover!.enter({ stop: over, over });
