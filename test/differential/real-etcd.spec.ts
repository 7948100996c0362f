import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startEtcd } from '../support/etcd.js';
import type { TestEtcd } from '../support/etcd.js';
import { eventually } from '../support/eventually.js';

let etcd: TestEtcd;

beforeAll(async () => {
  etcd = await startEtcd({ nodes: 3 });
});

afterAll(() => etcd.stop());

describe('the etcd that others are compared with', () => {
  it('is the generation that we promise the semantics of', async () => {
    const { code, stdout } = await etcd.etcdctl.run(['version']);
    expect([code, stdout]).toEqual([0, expect.stringMatching(/API version: 3\.4/)]);
  });

  it('serves while one of three members is killed, and takes it back', async () => {
    const { etcdctl } = etcd;
    const [first] = etcd.members;
    await first!.kill();
    // Whoever led may have been the one.
    await eventually(async () =>
      expect(await etcdctl.run(['put', 'k', 'v'])).toMatchObject({ code: 0 }),
    );
    const watch = etcdctl.start(['watch', 'k', '--rev=2']);
    expect([await watch.line(), await watch.line(), await watch.line()]).toEqual(['PUT', 'k', 'v']);
    await watch.stop();
    await first!.start();
    const { stdout } = await etcdctl.run(['get', 'k', '--print-value-only']);
    expect(stdout).toBe('v\n');
  });
});
