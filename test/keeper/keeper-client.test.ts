import { Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { KeeperClient, type Channel, type KeeperClientListener } from '../../src/keeper/keeper-client.js';
import { SharedState } from '../../src/keeper/shared-state.js';

/** A worker's side of the keeper, and the keeper played by the test. */
function client(): {
  client: KeeperClient;
  told: unknown[];
  says(message: unknown, handle?: unknown): void;
  came: string[];
} {
  const sharedState = SharedState.create();
  onTestFinished(() => sharedState.close());
  const told: unknown[] = [];
  let listener!: (message: unknown, handle: unknown) => void;
  const channel: Channel = {
    connected: true,
    send: (message) => {
      told.push(message);
      return true;
    },
    on: (event: string, listen: (message: unknown, handle: unknown) => void) => {
      if (event === 'message') listener = listen;
    },
  };
  const subject = new KeeperClient(
    { sharedStateFd: sharedState.fd, number: 1 },
    { standby: false, log: { json: true, level: 'info' } },
    channel,
  );
  const came: string[] = [];
  const nothing = (): void => undefined;
  const entered: KeeperClientListener = {
    ...{ retire: nothing, crowded: nothing, stop: nothing, orphaned: nothing },
    fresh: () => came.push('fresh'),
    held: () => came.push('held'),
    relayed: (data) => came.push(JSON.stringify(data)),
  };
  subject.enter(entered);
  told.length = 0;
  return { client: subject, told, says: (message, handle) => listener(message, handle), came };
}

describe('a worker', () => {
  it('says so when a socket does not arrive with its message, instead of letting go of the connection', () => {
    const { told, says, came } = client();
    says({ type: 'connection', slot: 3 });
    expect([told, came]).toEqual([[{ type: 'missing', slot: 3 }], []]);
    const socket = new Socket();
    onTestFinished(() => void socket.destroy());
    says({ type: 'connection', slot: 3 }, socket);
    expect(came).toEqual(['fresh']);
  });

  it('tells other workers in texts, of which the keeper knows the length, and understands older ones', () => {
    const { client: subject, told, says, came } = client();
    subject.relay({ word: 'understood' });
    expect(told).toEqual([{ type: 'relay', data: '{"word":"understood"}' }]);
    says({ type: 'relay', data: '{"word":"gone","name":"a"}' });
    says({ type: 'relay', data: { word: 'gone', name: 'b' } });
    expect(came).toEqual(['{"word":"gone","name":"a"}', '{"word":"gone","name":"b"}']);
  });
});
