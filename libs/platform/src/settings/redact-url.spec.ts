import { expect, it } from 'vitest';
import { redactUrl } from './redact-url.js';

it.each([
  ['postgres://user:secret@db:5432/pawl?sslpassword=secret', 'postgres://db:5432/pawl'],
  ['nats://token@a:4222,nats://u:secret@b:4222', 'nats://a:4222,nats://b:4222'],
  ['secret', '(not a URL)'],
  ['http://127.0.0.1:7400', 'http://127.0.0.1:7400/'],
])('%s is logged as %s', (url, shown) => {
  expect(redactUrl(url)).toBe(shown);
});
