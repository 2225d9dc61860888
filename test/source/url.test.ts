import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { createServer as createTcpServer, type AddressInfo, type LookupFunction } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, describe, expect, it } from 'vitest';
import { urlSound } from '../../src/source/url.js';
import { selfSigned } from '../support/certificate.js';
import { describeWith } from '../support/needs.js';
import { inProject } from '../support/paths.js';
import { noise, sameSound } from '../support/signals.js';
import { notingContext } from '../support/sound-context.js';
import { wavFile } from '../support/wav.js';
import { hear, SAMPLES, serve, WAV } from './support/web.js';

function sendSlowly(response: ServerResponse, pieces: readonly Uint8Array[], everyMs = 5): void {
  void (async () => {
    for (const piece of pieces) {
      if (response.destroyed) return;
      response.write(piece);
      await setTimeout(everyMs);
    }
    response.end();
  })();
}

describe('urlSound', () => {
  it('speaks what an address streams, in any pieces, whatever its type claims', async () => {
    for (const type of ['audio/wav', 'text/plain', 'application/octet-stream', undefined]) {
      const { origin } = await serve((_, response) => {
        if (type !== undefined) response.setHeader('content-type', type);
        const cuts = [0, 1, 30, 44, 45, 5000, WAV.length];
        sendSlowly(
          response,
          cuts.slice(1).map((end, i) => WAV.subarray(cuts[i], end)),
        );
      });
      const context = notingContext();
      expect(sameSound(await hear(`${origin}/voice`, {}, context), SAMPLES)).toBe(true);
      expect(context.infos).toHaveLength(1);
    }
  });

  it('gives the first sound while the rest is still being sent', async () => {
    const { origin } = await serve((_, response) => void response.write(WAV.subarray(0, 4000)));
    const context = notingContext();
    const blocks = urlSound(origin).open(context)[Symbol.asyncIterator]();
    expect((await blocks.next()).done).toBe(false);
    context.abort(new Error('enough'));
    await expect(
      (async () => {
        for (;;) await blocks.next();
      })(),
    ).rejects.toThrow('enough');
  });

  it('reads no faster than it is spoken', async () => {
    let sent = 0;
    const { origin } = await serve((_, response) => {
      const piece = noise(32_768, 10_000);
      response.write(wavFile({ dataBytes: 0x7fffffff }));
      const more = (): void => {
        for (; sent < 1000; sent++)
          if (!response.write(new Uint8Array(piece.buffer))) return void response.once('drain', more);
        response.end();
      };
      more();
    });
    const context = notingContext();
    const blocks = urlSound(origin).open(context)[Symbol.asyncIterator]();
    await blocks.next();
    await setTimeout(300);
    // 64 KB a piece; the sockets' own buffers hold some megabytes, all of it would be 64.
    expect(sent).toBeLessThan(300);
    context.abort();
    await blocks.return?.();
  });

  it('follows redirects, relative and absolute, and hands credentials to nobody else', async () => {
    const seen: (string | undefined)[] = [];
    const other = await serve((request, response) => {
      seen.push(request.headers.authorization);
      response.end(WAV);
    });
    const { origin, port, asked } = await serve((request, response) => {
      seen.push(request.headers.authorization);
      const location = request.url === '/a' ? '../b?c=d' : `${other.origin}/voice.wav`;
      response.writeHead(302, { location }).end();
    });
    const sound = await hear(`http://user:secret@127.0.0.1:${port}/a`);
    expect(sameSound(sound, SAMPLES)).toBe(true);
    expect(asked).toEqual(['/a', '/b?c=d']);
    const basic = expect.stringMatching(/^Basic /) as string;
    expect(seen).toEqual([basic, basic, undefined]);
    expect(origin).not.toBe(other.origin);
  });

  it('follows a redirect that is written in UTF-8', async () => {
    const { origin, asked } = await serve((request, response) => {
      const location = Buffer.from('/音声/挨拶.wav').toString('latin1');
      if (request.url === '/a') response.writeHead(302, { location }).end();
      else response.end(WAV);
    });
    expect(sameSound(await hear(`${origin}/a`), SAMPLES)).toBe(true);
    expect(asked.at(-1)).toBe(encodeURI('/音声/挨拶.wav'));
  });

  it.each([
    ['audio/x-mpegurl', (origin: string) => `#EXTM3U\r\n#EXTINF:-1,Radio\r\n${origin}/live\r\n`],
    ['text/plain', () => '\uFEFF#EXTM3U\n# a comment\n\nlive\n'],
    ['application/vnd.apple.mpegurl', () => '/live'],
    ['audio/x-scpls', (origin: string) => `[playlist]\nNumberOfEntries=1\nFile1=${origin}/live\nTitle1=x\n`],
    ['', () => '[Playlist]\r\nfile1 = ../live\r\nVersion=2\r\n'],
  ])('plays the one stream of a playlist (%s)', async (type, list) => {
    const { origin } = await serve((request, response) => {
      if (request.url === '/live') return response.end(WAV);
      if (type !== '') response.setHeader('content-type', type);
      return response.end(list(origin));
    });
    expect(sameSound(await hear(`${origin}/list`), SAMPLES)).toBe(true);
  });

  it('plays what a SHOUTcast server answers, and stops at playlists that lead in a circle', async () => {
    const server = createTcpServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => {
        socket.write('ICY 200 OK\r\nicy-name:Radio\r\ncontent-type:audio/wav\r\n\r\n');
        socket.end(WAV);
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    try {
      const { port } = server.address() as AddressInfo;
      expect(sameSound(await hear(`http://127.0.0.1:${port}/`), SAMPLES)).toBe(true);
    } finally {
      server.close();
    }
    const { origin } = await serve((_, response) => void response.end('#EXTM3U\nlist\n'));
    await expect(hear(`${origin}/list`)).rejects.toThrow('leads from one to the next');
  });

  it('gives up on redirects without an end, and on those that leave the web', async () => {
    const { origin, asked } = await serve((request, response) => {
      const location = request.url === '/loop' ? '/loop' : request.url!.slice(1);
      response.writeHead(307, { location }).end();
    });
    await expect(hear(`${origin}/loop`)).rejects.toMatchObject({
      code: 'SOURCE_FAILED',
      message: `${origin}/loop redirects more than 5 times.`,
    });
    expect(asked).toHaveLength(6);
    for (const target of ['file:///etc/passwd', 'data:audio/wav,x', 'ftp://127.0.0.1/x'])
      await expect(hear(`${origin}/${target}`)).rejects.toMatchObject({
        code: 'SOURCE_FAILED',
        message: expect.stringMatching(
          /redirects to the kind (file|data|ftp):, which is not followed/,
        ) as string,
      });
  });

  it.each([
    ['text/html; charset=utf-8', '\r\n\r\n<!DOCTYPE html>\n<html><body>Sign in</body></html>', 'Sign in'],
    ['application/json', '{"error":"no credit"}', ': no credit'],
    ['audio/wav', '{"detail": "Voice not found, ask for another one, please do."}', ': Voice not found'],
    ['audio/mpegurl', '#EXTM3U\nhttp://a/1.mp3\nhttp://a/2.mp3\n', 'is a playlist with 2 entries'],
    ['text/plain', '#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n1.ts\n', '(HLS), which is not supported'],
    ['audio/x-scpls', '[playlist]\nNumberOfEntries=0\n', 'is a playlist without an entry'],
    ['audio/x-mpegurl', 'file:///etc/passwd\n', 'is an address of the kind file:'],
    ['', 'ただいま混み合っています\n', 'ただいま混み合っています'],
  ])('shows the words of a %s answer instead of speaking it', async (type, text, line) => {
    const { origin } = await serve((_, response) => {
      if (type !== '') response.setHeader('content-type', type);
      response.end(text);
    });
    const failure = hear(`${origin}/speak?token=secret`);
    await expect(failure).rejects.toMatchObject({
      code: line.includes('kind') ? 'SOURCE_URL_INVALID' : 'SOURCE_NOT_SOUND',
    });
    await expect(failure).rejects.toThrow(line);
    await expect(failure).rejects.not.toThrow('secret');
  });

  it('names the status of an error, with its words', async () => {
    const { origin } = await serve((request, response) => {
      if (request.url === '/gone') response.writeHead(404).end('\nNo such voice\nmore');
      else response.writeHead(503).end(WAV);
    });
    await expect(hear(`${origin}/gone`)).rejects.toMatchObject({
      code: 'SOURCE_FAILED',
      message: `${origin}/gone answered 404 Not Found. It says: No such voice more`,
    });
    await expect(hear(`${origin}/busy`)).rejects.toThrow(`${origin}/busy answered 503 Service Unavailable.`);
  });

  it('refuses what is too large, by its stated size at once and by its true size when it gets there', async () => {
    let sendRest: () => void = () => undefined;
    const { origin } = await serve((request, response) => {
      if (request.url === '/stated') response.setHeader('content-length', WAV.length);
      response.write(WAV.subarray(0, 6000));
      sendRest = () => void response.end(WAV.subarray(6000));
    });
    const stated = hear(`${origin}/stated`, { maxBytes: 10_000 });
    await expect(stated).rejects.toMatchObject({ code: 'SOURCE_TOO_LARGE' });
    const hearWithRest = async (maxBytes: number): Promise<number> => {
      let heard = 0;
      for await (const { samples } of urlSound(`${origin}/chunked`, { maxBytes }).open(notingContext())) {
        heard += samples.length;
        sendRest();
      }
      return heard;
    };
    await expect(hearWithRest(10_000)).rejects.toMatchObject({ code: 'SOURCE_TOO_LARGE' });
    expect(await hearWithRest(WAV.length)).toBe(8000);
  });

  it('names each kind of waiting that took too long', async () => {
    const { origin } = await serve((request, response) => {
      if (request.url === '/silent') return;
      if (request.url === '/stuck') response.write(WAV.subarray(0, 1000));
      else
        sendSlowly(
          response,
          [WAV.subarray(0, 100), ...Array.from({ length: 200 }, () => new Uint8Array(10))],
          20,
        );
    });
    await expect(hear(`${origin}/silent`, { answerTimeoutMs: 100 })).rejects.toMatchObject({
      code: 'SOURCE_TIMEOUT',
      message: `${origin}/silent did not answer within 0.1 s.`,
    });
    await expect(hear(`${origin}/stuck`, { idleTimeoutMs: 300 })).rejects.toMatchObject({
      code: 'SOURCE_TIMEOUT',
      message: expect.stringMatching(/sent nothing more, 0\.3 s, after 1000 bytes/) as string,
    });
    await expect(hear(`${origin}/drip`, { totalTimeoutMs: 300 })).rejects.toMatchObject({
      code: 'SOURCE_TIMEOUT',
      message: expect.stringMatching(/took longer than it may in all, 0\.3 s/) as string,
    });
    const never: LookupFunction = () => undefined;
    await expect(hear('http://voice.test/', { lookup: never, connectTimeoutMs: 100 })).rejects.toMatchObject({
      code: 'SOURCE_TIMEOUT',
      message: 'http://voice.test/ could not be reached within 0.1 s.',
    });
  });

  it('tells when the other side breaks off, is not there, or has no such name', async () => {
    const { origin, close } = await serve((_, response) => {
      response.setHeader('content-length', WAV.length);
      response.write(WAV.subarray(0, 3000), () => response.destroy());
    });
    await expect(hear(origin)).rejects.toMatchObject({
      code: 'SOURCE_FAILED',
      message: expect.stringMatching(
        new RegExp(`broke off after 3000 bytes of the ${WAV.length} that it announced`),
      ) as string,
    });
    // An orderly end of the connection in the middle of a body is no end of the sound either.
    const { origin: chunked } = await serve((_, response) => {
      response.write(WAV.subarray(0, 3000), () => response.socket?.end());
    });
    await expect(hear(chunked)).rejects.toMatchObject({
      code: 'SOURCE_FAILED',
      message: expect.stringMatching(/broke off after 3000 bytes: /) as string,
    });
    await close();
    await expect(hear(origin)).rejects.toThrow(/ECONNREFUSED/);
    const unknown: LookupFunction = (host, _options, callback) =>
      callback(Object.assign(new Error(`getaddrinfo ENOTFOUND ${host}`), { code: 'ENOTFOUND' }), '', 0);
    await expect(hear('http://voice.test/', { lookup: unknown })).rejects.toThrow(/ENOTFOUND voice\.test/);
  });

  it('refuses what is no address of the web, without showing what it may hold', () => {
    for (const address of [
      'voice.wav',
      'ftp://host/x',
      'file:///etc/passwd',
      'javascript:alert(1)',
      'http://',
    ])
      expect(() => urlSound(address)).toThrow(expect.objectContaining({ code: 'SOURCE_URL_INVALID' }));
    expect(() => urlSound('ftp://me:secret@host/x?token=secret')).toThrow(/^((?!secret).)*$/);
  });

  it('is labelled without credentials and query', () => {
    expect(urlSound('https://me:secret@host.test/a/b.mp3?token=secret#x').label).toBe(
      'https://host.test/a/b.mp3',
    );
  });
});

await describeWith(['openssl'], 'urlSound over https', () => {
  const folder = mkdtempSync(join(tmpdir(), 'https-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  it('speaks from a server whose certificate is trusted, and refuses one that is not', async () => {
    const { cert, key } = selfSigned(folder, ['DNS:localhost']);
    const options = { key: readFileSync(key), cert: readFileSync(cert) };
    // Answers later than a connection may take: the two times must not be mixed up.
    const server = createHttpsServer(
      options,
      (_, response) => void global.setTimeout(() => response.end(WAV), 3000),
    );
    await new Promise<void>((resolve) => server.listen(0, resolve));
    const url = `https://localhost:${(server.address() as AddressInfo).port}/voice.wav`;
    try {
      await expect(hear(url)).rejects.toMatchObject({
        code: 'SOURCE_FAILED',
        message: expect.stringMatching(/could not be fetched: .*certificate/) as string,
      });
      // Node reads the extra certificates when it starts.
      const script = `
        import { urlSound } from ${JSON.stringify(inProject('src/source/url.ts'))};
        let samples = 0;
        const context = { signal: new AbortController().signal, info() {}, warn() {} };
        const sound = urlSound(${JSON.stringify(url)}, { connectTimeoutMs: 2500, answerTimeoutMs: 20000 });
        for await (const block of sound.open(context)) samples += block.samples.length;
        console.log(samples);`;
      const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', script], {
        cwd: inProject(''),
        env: { ...process.env, NODE_EXTRA_CA_CERTS: cert },
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      let output = '';
      child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
      await new Promise((resolve) => child.once('close', resolve));
      expect(output).toBe('8000\n');
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });
});
