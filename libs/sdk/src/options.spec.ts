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
    });
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
    ['unknown', { servers, cachedir: 'x' }],
  ])('refuses %s', async (_, options) => {
    await expect(connect(options as ConnectOptions)).rejects.toMatchObject({
      name: 'PawlError',
      code: 'bad-options',
      recoverable: false,
    });
  });
});
