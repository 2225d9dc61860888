import { afterEach, describe, expect, it } from 'vitest';
import { startService, until, type ServiceRig } from '../../support/service-rig.js';
import { StreamClient } from '../../support/stream-client.js';
import { FakeEngine } from '../../support/tts/fake-engine.js';

let rig: ServiceRig;
afterEach(() => rig.close());

async function open(engine = new FakeEngine()) {
  rig = await startService({ say: { engine } });
  const avatar = await rig.avatar();
  return { engine, avatar, client: await StreamClient.open(rig.port) };
}

describe('text over a stream', () => {
  it('sounds from its first sentence on while the third is still being sent', async () => {
    const { engine, avatar, client } = await open();
    client.say({ type: 'say', voice: 'a', rate: 1.2, ref: 'r' });
    for (const piece of ['The fi', 'rst sent', 'ence. The sec', 'ond one. And', ' the thi'])
      client.say({ type: 'text', text: piece });
    await until(() => avatar.report().samplesHeard > 4000);
    expect(engine.texts.join(' ')).not.toContain('third');
    client.say({ type: 'text', text: 'rd is l' });
    client.say({ type: 'text', text: 'ate.' });
    client.say({ type: 'end' });
    expect(await client.next('ended')).toMatchObject({ how: 'completed', label: /^the stream of/ });
    expect(client.all('accepted')).toMatchObject([{ ref: 'r' }]);
    expect(engine.texts.join(' ').replace(/\s+/g, ' ')).toBe(
      'The first sentence. The second one. And the third is late.',
    );
    expect(engine.asked[0]!.speech).toEqual({ voice: 'a', rate: 1.2 });
  });

  it('is put together again wherever it was cut, even within a character', async () => {
    const { engine, client } = await open();
    client.say({ type: 'say', text: 'Say \ud83d' });
    client.say({ type: 'text', text: '\ude00 and 日' });
    client.say({ type: 'text', text: '本.' });
    client.say({ type: 'end' });
    await client.next('ended');
    expect(engine.texts).toEqual(['Say and 日本.']);
  });

  it('says when a mark has been heard, in the order of the text', async () => {
    const { client } = await open();
    client.say({ type: 'say', text: 'One. ' });
    client.say({ type: 'mark', name: 'after one' });
    client.say({ type: 'text', text: 'Two is longer. ' });
    client.say({ type: 'mark', name: 'after two', ref: 'm' });
    client.say({ type: 'end' });
    const end = await client.next('ended');
    const [one, two] = client.all('mark');
    expect(one).toMatchObject({ name: 'after one', heard: true });
    expect(two).toMatchObject({ name: 'after two', ref: 'm', heard: true });
    expect(one!.positionMs).toBeGreaterThan(100);
    expect(one!.positionMs).toBeLessThan(two!.positionMs);
    expect(two!.positionMs).toBeLessThanOrEqual(end.heardMs + 1);
  });

  it('is interrupted, and what its writer still sends is passed over', async () => {
    const { engine, client } = await open();
    client.say({ type: 'say', text: 'A sentence that goes on for a good while, so that it can be cut. ' });
    await until(() => rig.bridge.agent().snapshot().speaking);
    client.say({ type: 'interrupt' });
    const { heardMs } = await client.next('interrupted');
    expect(heardMs).toBeGreaterThan(0);
    client.say({ type: 'text', text: 'Nobody hears this.' });
    client.say({ type: 'say', text: 'But this.' });
    client.say({ type: 'end' });
    expect(await client.next('ended', 2)).toMatchObject({ how: 'completed' });
    expect(engine.texts.at(-1)).toBe('But this.');
    expect(client.all('error')).toEqual([]);
  });

  it('is told what does not fit: sound in a text, text in a sound or in nothing, an engine there is none of', async () => {
    const { client } = await open();
    client.say({ type: 'text', text: 'Too early.' });
    client.say({ type: 'say', engine: 'nosuch' });
    client.say({ type: 'text', text: 'Of the one that was refused.' });
    client.say({ type: 'say', engine: 'program', engineOptions: { program: 'id' } });
    client.say({ type: 'say' });
    client.sound(new Int16Array(100));
    client.sound(new Int16Array(100));
    client.say({ type: 'start', format: 's16le:16000:1' });
    client.say({ type: 'text', text: 'In a sound.' });
    await client.next('error', 5);
    expect(client.all('error').map(({ error: { code, detail } }) => [code, detail])).toEqual([
      ['REQUEST_INVALID', 'Text came without a say before it; it is passed over.'],
      ['ENGINE_UNKNOWN', expect.stringContaining("'nosuch'")],
      ['COMMAND_DANGEROUS', expect.stringContaining('program')],
      ['REQUEST_INVALID', 'Sound came in the middle of a text; it is passed over.'],
      ['REQUEST_INVALID', 'Text came in the middle of a sound; it is passed over.'],
    ]);
    expect(await client.next('ended')).toMatchObject({ how: 'failed', error: { code: 'TEXT_EMPTY' } });
  });
});
