import type ipaddr from 'ipaddr.js';
import type { RequestListener } from 'node:http';
import type { LookupFunction } from 'node:net';
import { describe, expect, it, vi } from 'vitest';
import { openSound } from '../../src/source/open.js';
import { isPublicAddress, publicLookup } from '../../src/source/public-address.js';
import { notingContext } from '../support/sound-context.js';
import { hear, serve, WAV } from './support/web.js';

// On Linux every 127.x.y.z is this machine: one of them plays the public internet.
vi.mock('ipaddr.js', async (original) => {
  const real = (await original<{ default: typeof ipaddr }>()).default;
  const process = (address: string) =>
    address === '127.0.0.99' ? real.process('8.8.8.8') : real.process(address);
  return { default: { ...real, isValid: real.isValid.bind(real), process } };
});

describe('urlSound for a remote caller', () => {
  const answers: RequestListener = (_, response) => void response.end(WAV);

  it('refuses addresses of this machine and its network in every spelling', async () => {
    const { port, asked } = await serve(answers);
    const hosts = [
      '127.0.0.1',
      '2130706433',
      '0x7f.1',
      '[::1]',
      '[::ffff:127.0.0.1]',
      'localhost',
      '0.0.0.0',
      '10.0.0.1',
    ];
    for (const host of [
      ...hosts,
      '169.254.169.254',
      '[fe80::1]',
      '[fd00::1]',
      '[64:ff9b::a00:1]',
      '100.64.0.1',
    ])
      await expect(hear(`http://${host}:${port}/`, { allowPrivate: false }), host).rejects.toMatchObject({
        code: 'SOURCE_DENIED',
      });
    expect(asked).toEqual([]);
    expect((await hear(`http://127.0.0.1:${port}/`)).length).toBe(8000);
  });

  it('refuses a public name with a private address, before anything is sent to it', async () => {
    const { port, asked } = await serve(answers);
    const lookup: LookupFunction = (_host, options, callback) =>
      options.all ? callback(null, [{ address: '127.0.0.1', family: 4 }]) : callback(null, '127.0.0.1', 4);
    await expect(hear(`http://voice.test:${port}/`, { allowPrivate: false, lookup })).rejects.toMatchObject({
      code: 'SOURCE_DENIED',
      message: 'voice.test is an address inside this machine or its private network.',
    });
    expect(asked).toEqual([]);
  });

  it.runIf(process.platform === 'linux')(
    'judges each redirect anew, by address and by name, also when the name now answers otherwise',
    async () => {
      const inside = await serve(answers);
      const outside = await serve((request, response) => {
        const location =
          request.url === '/to-address' ? `${inside.origin}/` : `http://voice.test:${inside.port}/`;
        if (request.url === '/voice.wav') response.end(WAV);
        else response.writeHead(302, { location }).end();
      }, '127.0.0.99');
      let lookups = 0;
      const rebinding: LookupFunction = (_host, options, callback) => {
        const address = lookups++ === 0 ? '127.0.0.99' : '127.0.0.1';
        if (options.all) callback(null, [{ address, family: 4 }]);
        else callback(null, address, 4);
      };
      const options = { allowPrivate: false, lookup: rebinding };
      const at = (path: string) => `http://voice.test:${outside.port}${path}`;
      expect((await hear(at('/voice.wav'), options)).length).toBe(8000);
      await expect(hear(`${outside.origin}/to-address`, options)).rejects.toMatchObject({
        code: 'SOURCE_DENIED',
      });
      lookups = 0;
      await expect(hear(at('/to-name'), options)).rejects.toMatchObject({ code: 'SOURCE_DENIED' });
      expect(lookups).toBe(2);
      expect(inside.asked).toEqual([]);
    },
  );
});

describe('publicLookup', () => {
  const answering = (addresses: string[]): LookupFunction =>
    publicLookup((_host, options, callback) => {
      const found = addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
      if (options.all) callback(null, found);
      else callback(null, found[0]!.address, found[0]!.family);
    });

  it('hands on only the public ones of several addresses', async () => {
    const lookup = answering(['10.0.0.1', '93.184.215.14', '::1', '2606:2800:21f:cb07:6820:80da:af6b:8b2c']);
    const found = await new Promise((resolve) =>
      lookup('voice.test', { all: true }, (_error, addresses) => resolve(addresses)),
    );
    expect(found).toEqual([
      { address: '93.184.215.14', family: 4 },
      { address: '2606:2800:21f:cb07:6820:80da:af6b:8b2c', family: 6 },
    ]);
  });

  it('fails when there is none', async () => {
    const error = await new Promise((resolve) =>
      answering(['192.168.1.1'])('nas.test', {}, (failure) => resolve(failure)),
    );
    expect(error).toMatchObject({ code: 'SOURCE_DENIED' });
  });

  it('takes nothing for public that is no address', () => {
    expect(isPublicAddress('voice.test')).toBe(false);
    expect(isPublicAddress('')).toBe(false);
  });
});

describe('openSound', () => {
  it('takes an address as a string or a URL, and a remote caller’s bounds with it', async () => {
    const { origin, asked } = await serve((_, response) => void response.end(WAV));
    for (const input of [`${origin}/a`, new URL(`${origin}/b`)]) {
      let samples = 0;
      for await (const block of openSound(input, {}).open(notingContext())) samples += block.samples.length;
      expect(samples).toBe(8000);
      const refused = openSound(input, { allowPrivate: false }).open(notingContext())[Symbol.asyncIterator]();
      await expect(refused.next()).rejects.toMatchObject({ code: 'SOURCE_DENIED' });
    }
    expect(asked).toEqual(['/a', '/b']);
    expect(() => openSound(new URL('ftp://host/x'), {})).toThrow(/kind ftp:/);
  });
});
