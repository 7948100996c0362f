import { describe, expect, it } from 'vitest';
import { allowedUrl } from './allowed-url.js';

const PREFIXES = ['https://hooks.acme.example/gates', 'http://10.0.0.5:8080/', 'https://a.example'];

describe('allowedUrl', () => {
  it.each([
    ['https://hooks.acme.example/gates', 'https://hooks.acme.example/gates'],
    ['https://HOOKS.acme.example:443/gates/', 'https://hooks.acme.example/gates/'],
    ['https://hooks.acme.example/gates/x?y=1#z', 'https://hooks.acme.example/gates/x?y=1'],
    ['https://hooks.acme.example/other/../gates/x', 'https://hooks.acme.example/gates/x'],
    ['http://10.0.0.5:8080/anything', 'http://10.0.0.5:8080/anything'],
    ['http://0x0a.0.0.5:8080/', 'http://10.0.0.5:8080/'],
    ['https://a.example/x', 'https://a.example/x'],
  ])('allows %s', (text, href) => {
    const allowed = allowedUrl(text, PREFIXES);
    expect(allowed.kind === 'allowed' && allowed.url.href).toBe(href);
  });

  it.each([
    // Another host, which only looks alike.
    'https://hooks.acme.example.evil.example/gates',
    'https://hooks.acme.example@evil.example/gates',
    'https://evil.example/https://hooks.acme.example/gates',
    'https://evil.example#@hooks.acme.example/gates',
    'https://evil.example\\@hooks.acme.example/gates',
    'https://a.example.:443/x',
    // Another scheme or port.
    'http://hooks.acme.example/gates',
    'https://hooks.acme.example:8443/gates',
    'http://10.0.0.5/anything',
    // Another path.
    'https://hooks.acme.example/',
    'https://hooks.acme.example/gatesx',
    'https://hooks.acme.example/Gates',
    'https://hooks.acme.example/gates/../admin',
    'https://hooks.acme.example/gates/%2e%2e/admin',
    'https://hooks.acme.example/gates\\..\\admin',
    'http://169.254.169.254/latest/meta-data',
    'http://[::ffff:10.0.0.5]:8080/',
  ])('does not allow %s', (text) => {
    expect(allowedUrl(text, PREFIXES)).toMatchObject({ kind: 'refused' });
  });

  it.each([
    ['https://u:p@a.example/x', 'names a user or a password'],
    ['https://hooks.acme.example/gates/..%2fadmin', 'has an encoded slash or dot in its path'],
    ['https://hooks.acme.example/gates/.%2E/..%5Cadmin', 'has an encoded slash or dot in its path'],
    [
      'https://hooks.acme.example/gates/..;/admin',
      'has a path that some servers read as another one',
    ],
    ['https://a.example/..%3bx=1/admin', 'has a path that some servers read as another one'],
    ['https://a.example/%252e%252e/x', 'has a path that some servers read as another one'],
    ['ftp://a.example/x', 'is not one of HTTP'],
    ['file:///etc/passwd', 'is not one of HTTP'],
    ['https://', 'is not a URL'],
    ['https://b.example', `is none that PAWL_GATE_URLS allows: ${PREFIXES.join(', ')}`],
  ])('says why it refuses %s', (text, why) => {
    expect(allowedUrl(text, PREFIXES)).toEqual({ kind: 'refused', why });
  });

  it('allows nothing where nothing is set', () => {
    expect(allowedUrl('http://127.0.0.1/', [])).toMatchObject({ kind: 'refused' });
  });
});
