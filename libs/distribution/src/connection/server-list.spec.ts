import { describe, expect, it } from 'vitest';
import { parseServerList } from './server-list.js';

describe('parseServerList', () => {
  it('reads one server, several, and both ways to write several', () => {
    expect(parseServerList('nats://a:4222')).toEqual({ servers: ['a:4222'] });
    expect(parseServerList('nats://a:4222/, b')).toEqual({ servers: ['a:4222', 'b'] });
    expect(parseServerList(['a:1', 'nats://[::1]:2'])).toEqual({ servers: ['a:1', '[::1]:2'] });
  });

  it('reads credentials and encryption', () => {
    expect(parseServerList('nats://u:p%40ss@a:4222,nats://b:4222')).toEqual({
      servers: ['a:4222', 'b:4222'],
      user: 'u',
      pass: 'p@ss',
    });
    expect(parseServerList('tls://token@a')).toEqual({ servers: ['a'], token: 'token', tls: {} });
  });

  it('says which server is malformed without repeating its password', () => {
    expect(() => parseServerList(' , ')).toThrow(TypeError);
    const parse = (): unknown => parseServerList('nats://a, http://u:secret@b');
    expect(parse).toThrow(/NATS server 2 /);
    expect(parse).not.toThrow(/secret/);
  });
});
