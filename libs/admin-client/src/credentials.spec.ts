import { describe, expect, it } from 'vitest';
import { AdminClient } from './admin-client.js';
import { shownUrl } from './shown-url.js';

describe('shownUrl', () => {
  it.each([
    ['http://ada:pw@host:1/base', 'http://host:1/base'],
    ['http://ada:p/w@x@host', 'http://host'],
    ['ada:pw@host:1', 'host:1'],
    ['http://host/base?token=pw#pw', 'http://host/base'],
    ['http://127.0.0.1:7400', 'http://127.0.0.1:7400'],
  ])('%s is shown as %s', (url, shown) => {
    expect(shownUrl(url)).toBe(shown);
  });
});

describe('AdminClient', () => {
  it('refuses an address with a password, and does not repeat it', () => {
    expect(() => new AdminClient({ url: 'http://ada:pw@host' })).toThrow(/holds no user[^@]*$/);
  });

  it.each([
    ['nobody answers', () => Promise.reject(new TypeError('fetch failed'))],
    ['something else answers', () => Promise.resolve(new Response('', { status: 502 }))],
  ])('shows no token of the address when %s', async (_what, fetch) => {
    const client = new AdminClient({ url: 'http://host/?token=pw', fetch });
    await expect(client.cluster()).rejects.toThrow(/^((?!pw).)*http:\/\/host((?!pw).)*$/);
  });
});
