import { hostname } from 'node:os';
import { describe, expect, it } from 'vitest';
import { connect } from './connect.js';
import { checkOptions } from './options.js';
import type { ConnectOptions } from './options.js';

const servers = 'nats://127.0.0.1:1';

describe('checkOptions', () => {
  it('fills in what DESIGN says', () => {
    expect(checkOptions({ servers })).toMatchObject({
      installation: 'main',
      workload: undefined,
      consumerId: hostname().replace(/[^A-Za-z0-9_-]/g, '_'),
      openTimeoutMs: 2_000,
      startTimeoutMs: 10_000,
      crashLoop: { settleMs: 60_000, windowMs: 10_000 },
    });
  });

  it('takes what counts as a crash loop', () => {
    const check = (crashLoop: ConnectOptions['crashLoop'] & object) =>
      checkOptions({ servers, crashLoop }).crashLoop;
    expect(checkOptions({ servers, crashLoop: false }).crashLoop).toBe(false);
    expect(check({ settleMs: 20_000 })).toEqual({ settleMs: 20_000, windowMs: 10_000 });
    expect(check({ settleMs: 5_000 })).toEqual({ settleMs: 5_000, windowMs: 5_000 });
    expect(check({ windowMs: 0 })).toEqual({ settleMs: 60_000, windowMs: 0 });
  });

  it('makes a consumerId fit for a subject and a folder', () => {
    expect(checkOptions({ servers, consumerId: '../pod.1 ä' }).consumerId).toBe('___pod_1__');
  });

  it.each<[string, unknown]>([
    ['nothing', undefined],
    ['no servers', {}],
    ['servers', { servers: 'http://x' }],
    ['installation', { servers, installation: 'Main!' }],
    ['workload', { servers, workload: 'a.b' }],
    ['long consumerId', { servers, consumerId: 'x'.repeat(129) }],
    ['empty consumerId', { servers, consumerId: '' }],
    ['labels', { servers, labels: 'x' }],
    [
      '17 labels',
      { servers, labels: Object.fromEntries([...Array(17).keys()].map((n) => [`l${n}`, ''])) },
    ],
    ['long label', { servers, labels: { a: 'ä'.repeat(65) } }],
    ['label value', { servers, labels: { a: 1 } }],
    ['build', { servers, build: 'x'.repeat(129) }],
    ['time-out', { servers, openTimeoutMs: -1 }],
    ['time-out text', { servers, startTimeoutMs: '5' }],
    ['crash loop', { servers, crashLoop: true }],
    ['unknown crash loop', { servers, crashLoop: { settle: 1 } }],
    ['crash window', { servers, crashLoop: { settleMs: 5, windowMs: 6 } }],
    ['unknown', { servers, cachedir: 'x' }],
  ])('refuses %s', async (_, options) => {
    await expect(connect(options as ConnectOptions)).rejects.toMatchObject({
      name: 'PawlError',
      code: 'bad-options',
      recoverable: false,
    });
  });
});
