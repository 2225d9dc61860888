import { describe, expect, it } from 'vitest';
import { parseRelay, parseRelayListen } from '../../src/relay/address.js';

describe('parseRelay', () => {
  it.each([
    ['ws://localhost:9002/chat', { kind: 'websocket', url: 'ws://localhost:9002/chat', agent: undefined }],
    ['ws://localhost:9002/chat=初音', { kind: 'websocket', url: 'ws://localhost:9002/chat', agent: '初音' }],
    ['ws://h/chat?token=x=miku', { kind: 'websocket', url: 'ws://h/chat?token=x', agent: 'miku' }],
    ['ws://h/chat?token=x', { kind: 'websocket', url: 'ws://h/chat?token=x', agent: undefined }],
    ['wss://h/', { kind: 'websocket', url: 'wss://h/', agent: undefined }],
    ['tcp://[::1]:50001=a', { kind: 'tcp', host: '::1', port: 50_001, agent: 'a' }],
  ])('reads %s', (text, address) => {
    expect(parseRelay(text)).toEqual(address);
  });

  it.each(['localhost:9002', 'http://h/', 'tcp://h', 'tcp://h:99999', ''])('refuses %s', (text) => {
    expect(() => parseRelay(text)).toThrow(expect.objectContaining({ code: 'OPTION_INVALID' }));
  });
});

describe('parseRelayListen', () => {
  it.each([
    ['50001', { kind: 'listen', host: '127.0.0.1', port: 50_001, agent: undefined }],
    ['0.0.0.0:50001=miku', { kind: 'listen', host: '0.0.0.0', port: 50_001, agent: 'miku' }],
    ['[::1]:50001', { kind: 'listen', host: '::1', port: 50_001, agent: undefined }],
  ])('reads %s', (text, address) => {
    expect(parseRelayListen(text)).toEqual(address);
  });

  it.each(['x', '70000', ':1', '1=a b'])('refuses %s', (text) => {
    expect(() => parseRelayListen(text)).toThrow(expect.objectContaining({ code: 'OPTION_INVALID' }));
  });
});
