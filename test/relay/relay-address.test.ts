import { describe, expect, it } from 'vitest';
import { relayAddress } from '../../src/config.js';

describe('relayAddress', () => {
  it.each([
    ['ws://localhost:9002/chat', { kind: 'websocket', url: 'ws://localhost:9002/chat', name: undefined }],
    ['ws://localhost:9002/chat=初音', { kind: 'websocket', url: 'ws://localhost:9002/chat', name: '初音' }],
    ['ws://h/chat?token=x=miku', { kind: 'websocket', url: 'ws://h/chat?token=x', name: 'miku' }],
    ['ws://h/chat?token=x', { kind: 'websocket', url: 'ws://h/chat?token=x', name: undefined }],
    ['wss://h/', { kind: 'websocket', url: 'wss://h/', name: undefined }],
    ['tcp://[::1]:50001=a', { kind: 'connect', host: '::1', port: 50_001, name: 'a' }],
  ])('reads %s', (text, address) => {
    expect(relayAddress(text)).toEqual(address);
  });

  it.each(['localhost:9002', 'http://h/', 'tcp://h', 'tcp://h:99999', ''])('refuses %s', (text) => {
    expect(relayAddress(text)).toBeUndefined();
  });
});
