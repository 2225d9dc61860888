import { afterEach, describe, expect, it } from 'vitest';
import { compareHeard } from '../../src/simulator/index.js';
import { type ServiceRig, startService } from '../support/service-rig.js';
import { noise } from '../support/signals.js';
import { wavOf } from '../support/wav.js';

let rig: ServiceRig;
afterEach(() => rig.close());

const SPEECH = '/api/agents/default/speeches';
const headers = { 'content-type': 'multipart/form-data; boundary=xyz' };

function form(...parts: { name: string; file?: string; content: Uint8Array | string }[]): Buffer {
  const pieces = parts.flatMap(({ name, file, content }) => [
    Buffer.from(
      `--xyz\r\nContent-Disposition: form-data; name="${name}"${file === undefined ? '' : `; filename="${file}"`}\r\n\r\n`,
    ),
    Buffer.from(content as string),
    Buffer.from('\r\n'),
  ]);
  return Buffer.concat([...pieces, Buffer.from('--xyz--\r\n')]);
}

describe('a form', () => {
  it('with a file is that file, behind fields and before other files', async () => {
    rig = await startService({ leadMs: 1000 });
    const avatar = await rig.avatar();
    const sound = noise(20_000, 20_000);
    const body = form(
      { name: 'text', content: 'hello' },
      { name: 'file', file: 'x.wav', content: wavOf(sound) },
      { name: 'other', file: 'y.wav', content: wavOf(noise(1000, 5000)) },
    );
    const { status, json } = await rig.ask('POST', `${SPEECH}?wait=finished`, { body, headers });
    expect([status, json['end']?.['how']]).toEqual([200, 'completed']);
    expect(compareHeard(sound, avatar.heard())).toMatchObject({ exact: true });
  });

  it.each([
    [
      'without a file',
      form({ name: 'text', content: 'hello' }),
      /form without a file.*send the sound itself/,
    ],
    ['that is cut off', form({ name: 'f', file: 'x', content: 'abc' }).subarray(0, 60), /form/],
    [
      'with a file that is no sound',
      form({ name: 'f', file: 'x.txt', content: 'Dear diary,' }),
      /'Dear diary,'/,
    ],
  ])('%s is refused at once', async (_what, body, message) => {
    rig = await startService();
    const { status, json } = await rig.ask('POST', SPEECH, { body, headers });
    expect(status).toBe(422);
    expect(json['detail']).toMatch(message);
  });
});

describe('an upload that is no sound', () => {
  it('is refused at the request and not after its turn in the queue', async () => {
    rig = await startService();
    await rig.avatar();
    rig.bridge.agent().pause();
    const waiting = rig.bridge.agent().speak(wavOf(noise(16_000, 5000)));
    for (const body of ['Dear diary, this is no sound at all.', '', Buffer.alloc(200, 7)]) {
      const { status, json } = await rig.ask('POST', SPEECH, { body });
      expect(status).toBe(422);
      expect(['SOUND_UNKNOWN', 'SOUND_EMPTY']).toContain(json['code']);
    }
    void waiting.stop();
  });
});
