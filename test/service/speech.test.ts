import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { delay, systemClock } from '../../src/base/clock.js';
import { compareHeard } from '../../src/simulator/index.js';
import { answerOf, linesOf, type ServiceRig, startService, until } from '../support/service-rig.js';
import { noise, sine } from '../support/signals.js';
import { wavOf } from '../support/wav.js';

let rig: ServiceRig;
afterEach(() => rig.close());

const SPEECH = '/api/agents/default/speeches';
const live = { accept: 'application/x-ndjson' };

describe('a speech by upload', () => {
  it('is heard sample by sample, and `wait=finished` answers at its end', async () => {
    // A lead that outlasts a machine's stalls, here and in the other tests that count gaps.
    rig = await startService({ leadMs: 1000 });
    const avatar = await rig.avatar();
    const sound = noise(12_345, 20_000);
    const { status, json } = await rig.ask('POST', `${SPEECH}?wait=finished&label=voice.wav`, {
      body: wavOf(sound),
    });
    expect(status).toBe(200);
    expect(json).toMatchObject({
      agent: 'default',
      label: 'voice.wav',
      state: 'ended',
      end: { how: 'completed', error: null, gaps: { count: 0 } },
    });
    expect(json['end']!['heardMs']).toBeCloseTo(12_345 / 16, 0);
    expect(compareHeard(sound, avatar.heard())).toMatchObject({ exact: true });
    expect(avatar.report().faults).toEqual([]);
  });

  it('with a thousand cues at one moment is heard whole, and each of them runs in its order', async () => {
    // No stall of the machine itself is to matter; that cues delay no frame is held on a clock in hand.
    rig = await startService({ leadMs: 1000 });
    const avatar = await rig.avatar();
    const sound = noise(24_000, 20_000);
    const send = Array.from({ length: 1000 }, (_, i) => `CUE|${i}`);
    const speech = rig.bridge.agent().speak(wavOf(sound), {
      cues: send.map((line) => ({ atMs: 400, send: line })),
    });
    expect(await speech.finished).toMatchObject({ how: 'completed', cuesSent: 1000, gaps: { byStall: 0 } });
    const lines = (): string[] =>
      avatar.report().commands.flatMap(({ line }) => (line.startsWith('CUE|') ? [line] : []));
    await until(() => lines().at(-1) === send.at(-1));
    expect(lines()).toEqual(send.slice(-lines().length));
    expect(compareHeard(sound, avatar.heard())).toMatchObject({ exact: true });
    expect(avatar.report()).toMatchObject({ gapCount: 0, faults: [], alive: true });
  });

  it('is taken by PUT too, as `curl -T` sends it, of any type', async () => {
    rig = await startService();
    await rig.avatar();
    for (const type of ['application/json', 'text/plain', 'audio/wav', 'application/x-www-form-urlencoded']) {
      const { status } = await rig.ask('PUT', `${SPEECH}?wait=finished`, {
        body: wavOf(sine(800, 440, 9000)),
        headers: { 'content-type': type },
      });
      expect([type, status]).toEqual([type, 200]);
    }
  });

  it('is answered with 202, its id and its place once the upload is in', async () => {
    rig = await startService();
    await rig.avatar();
    const { status, json, headers } = await rig.ask('POST', SPEECH, { body: wavOf(sine(16_000, 440, 9000)) });
    expect(status).toBe(202);
    expect(json).toMatchObject({ agent: 'default', end: null });
    expect(headers.location).toBe(`/api/agents/default/speeches/${String(json['id'])}`);
    const place = headers.location!;
    expect((await rig.ask('GET', place)).json).toMatchObject({ id: json['id'], end: null });
    await until(() => rig.bridge.agent().speeches.length === 0);
    const ended = await rig.ask('GET', place);
    expect([ended.status, ended.json]).toMatchObject([
      200,
      { id: json['id'], agent: 'default', state: 'ended', positionMs: 1000, end: { how: 'completed' } },
    ]);
    for (const path of ['/api/agents/default/speeches/s99', place.replace('default', 'a,b')])
      expect((await rig.ask('GET', path)).status).toBe(404);
  });

  it('can be asked for after its end, up to the number that is kept', async () => {
    rig = await startService({}, { limits: { keptSpeeches: 2 } });
    await rig.avatar();
    const places: string[] = [];
    for (let i = 0; i < 3; i += 1) {
      const { headers } = await rig.ask('POST', SPEECH, { body: wavOf(sine(800, 440, 9000)) });
      places.push(headers.location!);
    }
    await until(() => rig.bridge.agent().speeches.length === 0);
    const asked = await Promise.all(places.map((place) => rig.ask('GET', place)));
    expect(asked.map(({ status }) => status)).toEqual([404, 200, 200]);
  });

  it('is answered at its first sound with `wait=started`, while the upload goes on', async () => {
    rig = await startService({ bufferMs: 200 });
    await rig.avatar();
    const sound = wavOf(sine(16_000 * 4, 440, 9000));
    const upload = rig.open('POST', `${SPEECH}?wait=started`);
    upload.write(sound.subarray(0, 32_000));
    const [response] = (await once(upload, 'response')) as [IncomingMessage];
    expect(response.statusCode).toBe(200);
    const [body] = (await once(response.setEncoding('utf8'), 'data')) as [string];
    expect(JSON.parse(body)).toMatchObject({ end: null });
    // The rest still gets in after the answer, and is spoken.
    upload.end(sound.subarray(32_000, 64_000));
    await once(response, 'end');
    const [speech] = rig.bridge.agent().speeches;
    expect(await speech!.finished).toMatchObject({ how: 'completed' });
  });

  it('is told live, a line of JSON each, while the body is still on its way', async () => {
    rig = await startService();
    await rig.avatar();
    const sound = wavOf(sine(16_000, 440, 9000));
    const upload = rig.open('POST', `${SPEECH}?label=live.wav`, { headers: live });
    upload.flushHeaders();
    const [response] = (await once(upload, 'response')) as [IncomingMessage];
    expect(response.headers['content-type']).toContain('application/x-ndjson');
    const lines = linesOf(response);
    // Before a single byte of sound was sent.
    const first = (await lines.next()).value as Record<string, unknown>;
    expect(first).toMatchObject({ type: 'accepted', agent: 'default', label: 'live.wav' });
    upload.write(sound.subarray(0, 20_000));
    const seen = [first];
    for await (const line of lines) {
      seen.push(line);
      if (line['type'] === 'position' && !upload.writableEnded) upload.end(sound.subarray(20_000));
    }
    const types = seen.map(({ type }) => type);
    expect(types).toContain('info');
    expect(types.filter((type) => type === 'position').length).toBeGreaterThan(3);
    expect(seen.filter(({ type }) => type === 'state').map(({ state }) => state)).toEqual([
      'preparing',
      'speaking',
      'draining',
    ]);
    expect(seen.at(-1)).toMatchObject({ type: 'ended', how: 'completed', heardMs: 1000 });
    expect(new Set(seen.map(({ speech }) => speech)).size).toBe(1);
  });

  it('slows the sender: what is not needed yet stays with it', async () => {
    rig = await startService({ bufferMs: 200, leadMs: 120 }, { limits: { uploadAheadBytes: 16_384 } });
    await rig.avatar();
    const head = wavOf(new Int16Array(0));
    head.writeUInt32LE(0xffffffff, 40);
    const upload = rig.open('POST', SPEECH, { headers: live });
    upload.write(head);
    const second = Buffer.alloc(32_000);
    let sent = 0;
    // 20 minutes of sound; what the kernel's buffers hold is a few MB at the most.
    while (sent < 1200 && upload.write(second)) sent += 1;
    await new Promise((resolve) => setTimeout(resolve, 1500));
    const written = upload.socket!.bytesWritten;
    let more = true;
    upload.once('drain', () => (more = true));
    for (; sent < 1200 && more; sent += 1) {
      more = upload.write(second);
      if (!more) await new Promise((resolve) => setTimeout(resolve, 100));
    }
    expect(sent).toBeLessThan(1200);
    expect(written).toBeLessThan(16_000_000);
    expect(rig.bridge.agent().snapshot().heldMs).toBeLessThan(200);
    upload.destroy();
  });

  it('is stopped when the client that follows it goes away', async () => {
    rig = await startService();
    await rig.avatar();
    for (const [path, headers] of [
      [`${SPEECH}?wait=finished`, {}],
      [SPEECH, live],
    ] as const) {
      const upload = rig.open('POST', path, { headers });
      upload.on('error', () => undefined);
      // Minutes of sound: the kernel holds seconds of it, which must not stand before the news.
      upload.end(wavOf(sine(16_000 * 120, 440, 9000)));
      await until(() => rig.bridge.agent().speeches[0]?.state === 'speaking');
      const [speech] = rig.bridge.agent().speeches;
      upload.destroy();
      const end = await speech!.finished;
      expect(end).toMatchObject({ how: 'stopped' });
      expect(end.heardMs).toBeLessThan(10_000);
    }
  });

  it('is answered to its last word while it is still being sent, also on a connection for one request', async () => {
    rig = await startService();
    await rig.avatar();
    const socket = connect(rig.port, '127.0.0.1');
    let answer = '';
    let broken: Error | undefined;
    socket.setEncoding('utf8').on('data', (text: string) => (answer += text));
    socket.on('error', (error) => (broken = error));
    socket.write(
      `POST ${SPEECH}?format=s16le:16000:1 HTTP/1.1\r\nhost: 127.0.0.1:${rig.port}\r\nconnection: close\r\n` +
        'accept: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n',
    );
    const send = (): Promise<void> =>
      new Promise((resolve) => socket.write(`1000\r\n${'\u0001\u0007'.repeat(2048)}\r\n`, () => resolve()));
    await send();
    await until(() => answer.includes('"accepted"'));
    await rig.bridge.agent().speeches[0]!.stop();
    await until(() => answer.endsWith('\r\n0\r\n\r\n'));
    expect(answer).toContain('"how":"stopped"');
    // A client that has not read it yet goes on sending: an end of the connection now would take the answer from it.
    for (let count = 0; count < 20; count += 1) {
      await send();
      await delay(systemClock, 2);
    }
    expect([broken, socket.readyState]).toEqual([undefined, 'open']);
    socket.destroy();
  });

  it('fails with what is known when its upload is cut off, after speaking what came', async () => {
    rig = await startService();
    const avatar = await rig.avatar();
    const upload = rig.open('POST', SPEECH, { headers: { 'content-length': '64044' } });
    upload.on('error', () => undefined);
    const sound = noise(8000, 9000);
    upload.write(wavOf(sound).fill(0xff, 40, 44));
    await until(() => rig.bridge.agent().speeches[0]?.state === 'speaking');
    const [speech] = rig.bridge.agent().speeches;
    upload.destroy();
    const end = await speech!.finished;
    expect(end).toMatchObject({ how: 'failed', error: { code: 'SOURCE_FAILED' } });
    expect(end.error?.message).toMatch(/was cut off after 16044 bytes/);
    expect(compareHeard(sound, avatar.heard())).toMatchObject({ exact: true });
  });

  it('fails when the upload falls silent for too long', async () => {
    rig = await startService({}, { limits: { uploadIdleMs: 200 } });
    await rig.avatar();
    const upload = rig.open('POST', `${SPEECH}?wait=finished&label=slow.wav`);
    upload.on('error', () => undefined);
    upload.write(wavOf(sine(8000, 440, 9000)).fill(0xff, 40, 44));
    const [response] = (await once(upload, 'response')) as [IncomingMessage];
    const { status, json } = await answerOf(response);
    expect(status).toBe(422);
    expect(json).toMatchObject({ code: 'SOURCE_FAILED' });
    expect(json['detail']).toContain('slow.wav was silent for 200 ms');
  });

  it('is refused with a problem when it is no sound, an empty body, or of an unknown option', async () => {
    rig = await startService();
    await rig.avatar();
    const cases: [string, string, string, number, RegExp][] = [
      [
        `${SPEECH}?label=notes.wav`,
        'These are my notes, and there is no sound in them at all. Sorry.',
        'SOUND_UNKNOWN',
        422,
        /notes\.wav/,
      ],
      [`${SPEECH}?label=empty.wav`, '', 'SOUND_EMPTY', 422, /empty\.wav/],
      [
        `${SPEECH}?wait=finished&label=mute.wav`,
        wavOf(new Int16Array(0)).toString('latin1'),
        'SOUND_EMPTY',
        422,
        /mute\.wav/,
      ],
      [`${SPEECH}?loud=1`, 'x', 'REQUEST_INVALID', 400, /loud/],
      [`${SPEECH}?leadMs=5`, 'x', 'REQUEST_INVALID', 400, /leadMs/],
      [`${SPEECH}?leadMs=`, 'x', 'REQUEST_INVALID', 400, /leadMs/],
      [`${SPEECH}?format=s16le:99`, 'x', 'OPTION_INVALID', 400, /s16le:99/],
      [
        `${SPEECH}?cues=[{"atMs":0,"send":"SNDxx"}]`,
        wavOf(new Int16Array(8)).toString('latin1'),
        'COMMAND_INVALID',
        400,
        /SND/,
      ],
      [
        '/api/agents/no%20name/speeches',
        wavOf(new Int16Array(8)).toString('latin1'),
        'AGENT_NAME_INVALID',
        400,
        /no name/,
      ],
    ];
    for (const [path, body, code, status, detail] of cases) {
      const answer = await rig.ask('POST', encodeURI(path).replaceAll('%25', '%'), {
        body: Buffer.from(body, 'latin1'),
      });
      expect([path, answer.status, answer.json['code']]).toEqual([path, status, code]);
      expect(answer.headers['content-type']).toContain('application/problem+json');
      expect(answer.json['detail']).toMatch(detail);
      expect(answer.json['advice']).not.toBe('');
    }
    expect(rig.bridge.agent().speeches).toEqual([]);
  });

  it('can be raw samples of a stated format', async () => {
    rig = await startService();
    const avatar = await rig.avatar();
    const sound = noise(4096, 9000);
    const { status } = await rig.ask('POST', `${SPEECH}?wait=finished&format=s16le:16000:1`, {
      body: new Uint8Array(sound.buffer),
    });
    expect(status).toBe(200);
    expect(compareHeard(sound, avatar.heard())).toMatchObject({ exact: true });
  });

  it('waits for an avatar that is not there, says so, and fails when it does not come', async () => {
    rig = await startService({ agentTimeoutMs: 300 });
    const upload = rig.open('POST', '/api/agents/nobody/speeches', { headers: live });
    upload.end(wavOf(sine(800, 440, 9000)));
    const [response] = (await once(upload, 'response')) as [IncomingMessage];
    const lines = [];
    for await (const line of linesOf(response)) lines.push(line);
    expect(lines).toContainEqual(
      expect.objectContaining({ type: 'waiting', message: 'No avatar is connected; waiting for nobody.' }),
    );
    expect(lines.at(-1)).toMatchObject({
      type: 'ended',
      how: 'failed',
      error: { code: 'AGENT_ABSENT', status: 503 },
    });
    // A name that only a request has said is forgotten again.
    expect((await rig.ask('GET', '/api/agents')).json).toEqual({ agents: [] });
  });

  it('ends with the reason when the avatar vanishes, and the next avatar works', async () => {
    rig = await startService();
    const avatar = await rig.avatar();
    const asked = rig.ask('POST', `${SPEECH}?wait=finished`, { body: wavOf(sine(16_000 * 5, 440, 9000)) });
    await until(() => avatar.report().samplesHeard > 4000);
    avatar.leave();
    const { status, json } = await asked;
    expect(status).toBe(503);
    expect(json).toMatchObject({ code: 'AGENT_LOST', retryable: true });
    const next = await rig.avatar();
    const sound = noise(3000, 9000);
    const again = await rig.ask('POST', `${SPEECH}?wait=finished`, { body: wavOf(sound) });
    expect(again.status).toBe(200);
    expect(compareHeard(sound, next.heard())).toMatchObject({ exact: true });
  });

  it('is refused when too many uploads are open, and taken when one has ended', async () => {
    rig = await startService({}, { limits: { maxUploads: 1 } });
    await rig.avatar();
    const hanging = rig.open('POST', SPEECH);
    hanging.on('error', () => undefined);
    hanging.write('RIFF');
    await until(() => rig.bridge.agent().speeches.length === 1);
    const refused = await rig.ask('POST', SPEECH, { body: wavOf(sine(800, 440, 9000)) });
    expect(refused.status).toBe(429);
    expect(refused.json).toMatchObject({ code: 'STREAM_LIMIT' });
    hanging.destroy();
    await until(async () => {
      const { status } = await rig.ask('POST', `${SPEECH}?wait=finished`, {
        body: wavOf(sine(800, 440, 9000)),
      });
      return status === 200;
    });
  });

  it('gives its place back when its speech is refused', async () => {
    rig = await startService({}, { limits: { maxUploads: 1 } });
    await rig.avatar();
    for (let i = 0; i < 3; i++) {
      const { status, json } = await rig.ask('POST', '/api/agents/a,/speeches', {
        body: wavOf(sine(800, 440, 9000)),
      });
      expect([status, json['code']]).toEqual([400, 'AGENT_NAME_INVALID']);
    }
    const { status } = await rig.ask('POST', `${SPEECH}?wait=finished`, {
      body: wavOf(sine(800, 440, 9000)),
    });
    expect(status).toBe(200);
  });

  it('speaks two at once in the order in which they came', async () => {
    rig = await startService();
    const avatar = await rig.avatar();
    const [first, second] = [noise(256 * 20, 9000, 1), noise(256 * 20, 9000, 2)];
    const asked = [
      rig.ask('POST', `${SPEECH}?wait=finished&label=1`, { body: wavOf(first) }),
      until(() => rig.bridge.agent().speeches.length > 0).then(() =>
        rig.ask('POST', `${SPEECH}?wait=finished&label=2`, { body: wavOf(second) }),
      ),
    ];
    for (const { status } of await Promise.all(asked)) expect(status).toBe(200);
    const heard = avatar.heard();
    expect(compareHeard(first, heard.subarray(0, first.length)).exact).toBe(true);
    expect(compareHeard(second, heard.subarray(first.length)).exact).toBe(true);
  });

  it('ends every request with its result when the service closes', async () => {
    rig = await startService();
    await rig.avatar();
    const upload = rig.open('POST', SPEECH, { headers: live });
    upload.end(wavOf(sine(16_000 * 20, 440, 9000)));
    const [response] = (await once(upload, 'response')) as [IncomingMessage];
    const lines: Record<string, unknown>[] = [];
    const reading = (async () => {
      for await (const line of linesOf(response)) lines.push(line);
    })();
    await until(() => lines.some(({ type }) => type === 'position'));
    await rig.bridge.close();
    await reading;
    expect(lines.at(-1)).toMatchObject({ type: 'ended', how: 'stopped' });
  });
});
