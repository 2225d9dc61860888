import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BridgeError } from '../../src/base/errors.js';
import { linkPair, MAX_CHUNK_BYTES, NodeLink, WINDOW_BYTES } from '../../src/cluster/link.js';
import { until } from '../support/until.js';

/** Two ends whose frames a test can look at, hold back, drop and repeat. */
function heldPair(): { writer: NodeLink; reader: NodeLink; frames: Uint8Array[]; back: Uint8Array[] } {
  const frames: Uint8Array[] = [];
  const back: Uint8Array[] = [];
  const writer = new NodeLink({ peer: 'kyoto', send: (frame) => frames.push(frame) });
  const reader = new NodeLink({ peer: 'hub', send: (frame) => back.push(frame) });
  return { writer, reader, frames, back };
}

const codeOf = (link: NodeLink): string | undefined =>
  link.errored instanceof BridgeError ? link.errored.code : undefined;

describe('a link between nodes', () => {
  it('carries any bytes in any cut, both ways, and ends', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ maxLength: 200_000 }), { maxLength: 8 }),
        fc.array(fc.uint8Array({ maxLength: 5000 }), { maxLength: 8 }),
        async (there, here) => {
          const [first, second] = linkPair('kyoto');
          const sent = (link: NodeLink, chunks: Uint8Array[]): void => {
            for (const chunk of chunks) link.write(chunk);
            link.end();
          };
          sent(first, there);
          sent(second, here);
          const read = async (link: NodeLink): Promise<Buffer> => {
            const chunks: Buffer[] = [];
            for await (const chunk of link) chunks.push(chunk as Buffer);
            return Buffer.concat(chunks);
          };
          const [atFirst, atSecond] = await Promise.all([read(first), read(second)]);
          expect(atSecond.equals(Buffer.concat(there))).toBe(true);
          expect(atFirst.equals(Buffer.concat(here))).toBe(true);
        },
      ),
      { numRuns: 30 },
    );
  });

  it('sends no more than the reader has granted, in chunks that a server takes', () => {
    const { writer, reader, frames, back } = heldPair();
    writer.write(Buffer.alloc(WINDOW_BYTES * 3));
    const bytes = (): number => frames.reduce((sum, frame) => sum + frame.length - 5, 0);
    expect(bytes()).toBe(WINDOW_BYTES);
    expect(Math.max(...frames.map(({ length }) => length))).toBeLessThanOrEqual(MAX_CHUNK_BYTES + 5);
    for (const frame of frames.splice(0)) reader.receive(frame);
    // Nobody has read: at most what the reader's own buffer does not hold is granted.
    for (const frame of back.splice(0)) writer.receive(frame);
    expect(bytes()).toBe(0);
    reader.resume();
    return until(() => {
      for (const frame of back.splice(0)) writer.receive(frame);
      return bytes() > 0;
    });
  });

  it.each([
    ['lost', (frames: Uint8Array[]) => frames.slice(1), 'did not come'],
    ['repeated', (frames: Uint8Array[]) => [frames[0]!, frames[0]!], 'came again or out of order'],
    ['reordered', (frames: Uint8Array[]) => [frames[1]!, frames[0]!], 'did not come'],
    ['cut off', (frames: Uint8Array[]) => [frames[0]!.subarray(0, 3)], 'too short'],
    ['of an unknown type', () => [Uint8Array.of(99, 0, 0, 0, 0)], 'unknown type'],
  ])('breaks at both ends with NODE_LINK_BROKEN when a chunk is %s', async (_what, spoil, message) => {
    const { writer, reader, frames, back } = heldPair();
    writer.write('one');
    writer.write('two');
    for (const frame of spoil(frames)) reader.receive(frame);
    expect(codeOf(reader)).toBe('NODE_LINK_BROKEN');
    expect(String(reader.errored)).toContain(message);
    await until(() => reader.closed);
    for (const frame of back) writer.receive(frame);
    expect(codeOf(writer)).toBe('NODE_LINK_BROKEN');
  });

  it('breaks when the other end sends more than it was granted', () => {
    const { reader } = heldPair();
    const frame = Buffer.alloc(5 + WINDOW_BYTES + 1);
    frame[0] = 1;
    reader.receive(frame);
    expect(codeOf(reader)).toBe('NODE_LINK_BROKEN');
  });

  it('ends with the reason of its other end, and with that of NATS when nobody is there', async () => {
    const { writer, reader, back } = heldPair();
    reader.destroy(new BridgeError('SOURCE_DENIED', 'It lies in the private network.'));
    await until(() => back.length > 0);
    for (const frame of back) writer.receive(frame);
    expect(codeOf(writer)).toBe('SOURCE_DENIED');
    const other = heldPair();
    other.writer.write(Buffer.alloc(WINDOW_BYTES + 1));
    other.writer.fail(new BridgeError('NODE_UNREACHABLE', 'Node kyoto is lost.'));
    await until(() => other.writer.closed);
    expect(codeOf(other.writer)).toBe('NODE_UNREACHABLE');
  });
});
