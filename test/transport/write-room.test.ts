import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { expect, it } from 'vitest';
import { roomFor, writeFrom } from '../../src/transport/write-room.js';

it('keeps what a full socket still holds while the same room serves others', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const reader = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [slow] = (await once(server, 'connection')) as [Socket];
  const count = 8000;
  const bytes = 1291;
  for (let i = 0; i < count; i++) {
    const room = roomFor(bytes).fill(i % 251);
    room.writeUInt32LE(i, 0);
    writeFrom(slow, room);
  }
  // Longer than the room: it has memory of its own.
  writeFrom(slow, roomFor(5000).fill(255));
  expect(slow.writableLength).toBeGreaterThan(bytes);
  slow.end();
  const chunks: Buffer[] = [];
  for await (const chunk of reader) chunks.push(chunk as Buffer);
  const heard = Buffer.concat(chunks);
  expect(heard.length).toBe(count * bytes + 5000);
  for (let i = 0; i < count; i++) {
    const unit = heard.subarray(i * bytes, (i + 1) * bytes);
    const expected = Buffer.alloc(bytes, i % 251);
    expected.writeUInt32LE(i, 0);
    if (!unit.equals(expected)) expect.fail(`write ${i} did not arrive as it was`);
  }
  expect(heard.subarray(count * bytes).every((byte) => byte === 255)).toBe(true);
  server.close();
});
