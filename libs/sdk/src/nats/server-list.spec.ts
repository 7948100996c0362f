import { expect, it } from 'vitest';
import { parseServers } from './server-list.js';

it.each([
  ['nats://127.0.0.1:7422', { servers: ['127.0.0.1:7422'] }],
  ['localhost', { servers: ['localhost'] }],
  ['a:1, b:2', { servers: ['a:1', 'b:2'] }],
  [['nats://[::1]:4222/'], { servers: ['[::1]:4222'] }],
  ['tls://a:4222', { servers: ['a:4222'], tls: {} }],
  ['nats://us%40er:p%3A1@a:4222', { servers: ['a:4222'], user: 'us@er', pass: 'p:1' }],
  [['a:1', 'nats://secret@b:2'], { servers: ['a:1', 'b:2'], token: 'secret' }],
])('reads %j', (input, expected) => {
  expect(parseServers(input)).toEqual(expected);
});

it.each([
  undefined,
  7,
  '',
  [],
  'a b',
  'http://a:1',
  'nats://',
  'nats://a:99999',
  'nats://a/path',
  'a,,b',
])('refuses %j', (input) => {
  expect(() => parseServers(input)).toThrow(TypeError);
});

it('never repeats a password', () => {
  expect(() => parseServers('http://user:hunter2@a:1')).toThrow(/^(?!.*hunter2)/);
});
