import { describe, expect, it } from 'vitest';
import { OPTIONS, resolveOptions, SERVICE_KEYS, tcpAddress, type OptionKey } from '../src/config.js';

describe('options', () => {
  it('come from what was given, else the environment, else the default', () => {
    const env = { MMDAGENT_BRIDGE_PORT: '9100', MMDAGENT_BRIDGE_LEAD_MS: '200' };
    expect(resolveOptions(['port', 'leadMs', 'host'], { port: 9200 }, env)).toEqual({
      port: 9200,
      leadMs: 200,
      host: '127.0.0.1',
    });
  });

  it('are named when they are wrong, by the flag or the environment name that was used', () => {
    expect(() => resolveOptions(['port'], { port: 'abc' })).toThrow(
      /port cannot be "abc": it takes 0 to 65535/,
    );
    expect(() => resolveOptions(['port'], {}, { MMDAGENT_BRIDGE_PORT: '-1' })).toThrow(
      /MMDAGENT_BRIDGE_PORT cannot be/,
    );
    expect(() => resolveOptions(['leadMs'], { leadMs: NaN })).toThrow(/leadMs/);
    expect(() => resolveOptions(['path'], { path: '/api/x' })).toThrow(/path/);
    expect(() => resolveOptions(['model'], { model: 'a|b' })).toThrow(/model/);
  });

  it('that are unknown are refused with the nearest one that is known', () => {
    expect(() => resolveOptions(['port'], { prot: 1 })).toThrow(/no option prot; did you mean port\?/);
  });

  it('take a word where auto is one of the words', () => {
    expect(resolveOptions(['lips'], { lips: 'engine' }, {})).toEqual({ lips: 'engine' });
    expect(resolveOptions(['lips'], {}, { MMDAGENT_BRIDGE_LIPS: 'avatar' })).toEqual({ lips: 'avatar' });
  });

  it('take a number or auto for the lead, and words for a switch', () => {
    expect(resolveOptions(['leadMs'], { leadMs: 'auto' }).leadMs).toBe('auto');
    expect(resolveOptions(['leadMs'], { leadMs: '80' }).leadMs).toBe(80);
    expect(
      resolveOptions(['allowDangerous'], {}, { MMDAGENT_BRIDGE_ALLOW_DANGEROUS: 'yes' }).allowDangerous,
    ).toBe(true);
    expect(() =>
      resolveOptions(['allowDangerous'], {}, { MMDAGENT_BRIDGE_ALLOW_DANGEROUS: 'maybe' }),
    ).toThrow();
  });

  it.each([
    ['127.0.0.1:50001', { host: '127.0.0.1', port: 50_001, name: undefined }],
    ['studio.local:1=アバター', { host: 'studio.local', port: 1, name: 'アバター' }],
    ['[::1]:50001=mei', { host: '::1', port: 50_001, name: 'mei' }],
  ])('take %s as an address to connect to', (text, expected) => {
    expect(tcpAddress('connect', text)).toEqual({ kind: 'connect', ...expected });
  });

  it.each([
    ['60001', { host: '127.0.0.1', port: 60_001, name: undefined }],
    ['0', { host: '127.0.0.1', port: 0, name: undefined }],
    ['0.0.0.0:60001=taro', { host: '0.0.0.0', port: 60_001, name: 'taro' }],
  ])('take %s as an address to listen at', (text, expected) => {
    expect(tcpAddress('listen', text)).toEqual({ kind: 'listen', ...expected });
  });

  it.each([
    '50001',
    'host',
    'host:',
    'host:0',
    'host:65536',
    '::1:50001',
    'host:1=a b',
    'host:1=',
    'tcp://host:1',
  ])('refuse %j as an address to connect to', (text) => {
    expect(() => resolveOptions(['tcpConnect'], { tcpConnect: text })).toThrow(/tcpConnect cannot be/);
  });

  it('each have a flag, an environment name and a default of their own that passes its own check', () => {
    const specs = Object.values(OPTIONS);
    expect(new Set(specs.map(({ flag }) => flag)).size).toBe(specs.length);
    expect(new Set(specs.map(({ env }) => env)).size).toBe(specs.length);
    expect(() => resolveOptions(Object.keys(OPTIONS) as OptionKey[], {})).not.toThrow();
    expect(SERVICE_KEYS).toContain('leadMs');
  });
});
