import { afterEach, describe, expect, it } from 'vitest';
import { compareHeard } from '../../src/simulator/index.js';
import { startHttp, type TestServer } from '../support/http-server.js';
import { type ServiceRig, startService } from '../support/service-rig.js';
import { noise } from '../support/signals.js';
import { wavOf } from '../support/wav.js';

let rig: ServiceRig;
let web: TestServer | undefined;
afterEach(async () => {
  await rig.close();
  await web?.close();
  web = undefined;
});

const SPEECH = '/api/agents/default/speeches';
/** What a caller on another machine looks like from behind a proxy. */
const remote = { 'x-forwarded-for': '203.0.113.7' };

describe('a speech by address', () => {
  it('is fetched and heard, redirects included, with the options beside it', async () => {
    rig = await startService();
    const avatar = await rig.avatar();
    const sound = noise(8000, 20_000);
    web = await startHttp(({ url }, response) => {
      if (url?.startsWith('/moved')) response.writeHead(302, { location: '/voice.wav' }).end();
      else if (url === '/bare') response.end(Buffer.concat([Buffer.alloc(200), wavOf(sound)]));
      else response.writeHead(200, { 'content-type': 'audio/wav' }).end(wavOf(sound));
    });
    const { status, json } = await rig.ask('POST', SPEECH, {
      json: {
        url: `${web.origin}/moved?key=secret`,
        wait: 'finished',
        cues: [{ atMs: 100, send: 'HI|there' }],
      },
    });
    expect([status, json]).toMatchObject([
      200,
      { label: `${web.origin}/moved`, end: { how: 'completed', cuesSent: 1 } },
    ]);
    expect(web.asked).toEqual(['/moved?key=secret', '/voice.wav']);
    expect(compareHeard(sound, avatar.heard())).toMatchObject({ exact: true });
    // The options may stand in the address too, as they do for an upload.
    const raw = await rig.ask('POST', `${SPEECH}?wait=finished&format=s16le:16000:1&label=bare`, {
      json: { url: `${web.origin}/bare` },
    });
    expect(raw.json).toMatchObject({ label: 'bare', end: { how: 'completed' } });
    expect(raw.json['end']!['heardMs']).toBeGreaterThanOrEqual(500);
  });

  it('is refused when what names it is larger than 256 KiB, and taken up to that', async () => {
    rig = await startService();
    web = await startHttp((_request, response) => response.end(wavOf(noise(800, 9000))));
    await rig.avatar();
    const body = (bytes: number): string =>
      JSON.stringify({ url: `${web!.origin}/voice.wav`, wait: 'finished' }).padEnd(bytes, ' ');
    const headers = { 'content-type': 'application/json' };
    const large = await rig.ask('POST', SPEECH, { body: body(256 * 1024 + 1), headers });
    expect([large.status, large.json['code']]).toEqual([413, 'BODY_TOO_LARGE']);
    expect(web.asked).toEqual([]);
    const allowed = await rig.ask('POST', SPEECH, { body: body(256 * 1024), headers });
    expect([allowed.status, allowed.json]).toMatchObject([200, { end: { how: 'completed' } }]);
  });

  it('is refused when it leads into the private network and the caller is on another machine', async () => {
    rig = await startService();
    await rig.avatar();
    web = await startHttp((_request, response) => response.end(wavOf(noise(800, 9000))));
    for (const host of ['127.0.0.1', 'localhost', '[::1]', '[::ffff:127.0.0.1]', '2130706433', '0.0.0.0']) {
      const { status, json } = await rig.ask('POST', `${SPEECH}?wait=finished`, {
        json: { url: `http://${host}:${web.port}/voice.wav` },
        headers: remote,
      });
      expect([host, status, json['code']]).toEqual([host, 403, 'SOURCE_DENIED']);
    }
    expect(web.asked).toEqual([]);
  });

  it('is never a file, and tells what was wrong with it', async () => {
    rig = await startService();
    await rig.avatar();
    web = await startHttp((_request, response) => response.writeHead(404).end('gone for good'));
    const cases: [unknown, number, string, RegExp][] = [
      [{ url: 'file:///etc/hostname' }, 400, 'SOURCE_URL_INVALID', /file:/],
      [{ url: '/etc/hostname' }, 400, 'SOURCE_URL_INVALID', /\/etc\/hostname/],
      [{ url: 'samples/hello.wav' }, 400, 'SOURCE_URL_INVALID', /hello\.wav/],
      [{ url: `${web.origin}/nothing.wav` }, 422, 'SOURCE_FAILED', /404.*gone for good/],
      [{ url: `${web.origin}/a`, allowPrivate: true }, 400, 'REQUEST_INVALID', /allowPrivate/],
      [{ link: 'x' }, 400, 'REQUEST_INVALID', /url/],
      [[], 400, 'REQUEST_INVALID', /body/],
    ];
    for (const [json, status, code, detail] of cases) {
      const answer = await rig.ask('POST', SPEECH, { json });
      expect([json, answer.status, answer.json['code']]).toEqual([json, status, code]);
      expect(answer.json['detail']).toMatch(detail);
    }
    const broken = await rig.ask('POST', SPEECH, {
      body: '{"url":',
      headers: { 'content-type': 'application/json' },
    });
    expect([broken.status, broken.json['code']]).toEqual([400, 'REQUEST_INVALID']);
  });
});
