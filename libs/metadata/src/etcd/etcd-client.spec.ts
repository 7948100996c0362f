import { status } from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import { MetadataUnavailableError } from '../metadata-store.port.js';
import { systemTime } from '../testing/system-time.js';
import { EtcdClient, EtcdRefusal } from './etcd-client.js';
import type { Again } from './etcd-client.js';
import { etcdMethod } from './etcd-method.js';
import {
  ScriptedEtcd,
  answering,
  failing,
  hanging,
  startDropping,
} from './scripted-etcd.fixture.js';
import type { Script } from './scripted-etcd.fixture.js';

const RANGE = etcdMethod('KV', 'Range');
const PUT = etcdMethod('KV', 'Put');
const KEEP_ALIVE = etcdMethod('Lease', 'LeaseKeepAlive');
const KEY = { key: Buffer.from('k') };

const noLeader = failing(status.UNAVAILABLE, 'etcdserver: no leader');
const timedOut = failing(status.UNAVAILABLE, 'etcdserver: request timed out');

const ending: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ending.splice(0)) await end();
});

async function cluster(...scripts: Script[]): Promise<ScriptedEtcd[]> {
  const members = await Promise.all(scripts.map((script) => ScriptedEtcd.start(script)));
  ending.push(() => members.forEach((member) => member.stop()));
  return members;
}

function clientOf(endpoints: readonly string[], callTimeoutMs = 5_000): EtcdClient {
  const client = new EtcdClient({
    endpoints,
    callTimeoutMs,
    clock: systemTime,
    timer: systemTime,
  });
  ending.unshift(() => client.close());
  return client;
}

const addresses = (members: readonly ScriptedEtcd[]) => members.map(({ address }) => address);
const unavailable = (done: 'no' | 'unknown') => ({
  name: MetadataUnavailableError.name,
  done,
});

describe('a client of a cluster', () => {
  it('asks one member as long as that answers', async () => {
    const [first, second] = (await cluster(answering, answering)) as [ScriptedEtcd, ScriptedEtcd];
    const client = clientOf(addresses([first, second]));
    for (let at = 0; at < 3; at += 1) await client.call(RANGE, KEY, 'none');
    expect([first.asked.length, second.asked.length]).toEqual([3, 0]);
  });

  it('goes to the next where nobody is, and stays there', async () => {
    const nobody = await startDropping();
    ending.push(() => nobody.stop());
    const [member] = (await cluster(answering)) as [ScriptedEtcd];
    const client = clientOf([nobody.address, member.address]);
    for (const again of ['none', 'same', 'more'] as const) await client.call(PUT, KEY, again);
    expect(member.asked).toHaveLength(3);
  });

  it('goes to the next where a member stops, and finds the first again later', async () => {
    const [first, second] = (await cluster(answering, answering)) as [ScriptedEtcd, ScriptedEtcd];
    const client = clientOf(addresses([first, second]));
    await client.call(PUT, KEY, 'more');
    first.stop();
    await client.call(RANGE, KEY, 'none');
    await client.call(PUT, KEY, 'more');
    expect([first.asked, second.asked]).toEqual([['Put'], ['Range', 'Put']]);
  });

  it('does not go anywhere with what a member refused', async () => {
    const details = 'etcdserver: mvcc: required revision has been compacted';
    const members = await cluster(failing(status.OUT_OF_RANGE, details), answering);
    const client = clientOf(addresses(members));
    const call = client.call(RANGE, KEY, 'none');
    await expect(call).rejects.toBeInstanceOf(EtcdRefusal);
    await expect(call).rejects.toMatchObject({ refusal: 'compacted' });
    expect(members[1]?.asked).toEqual([]);
  });

  it.each<Again>(['none', 'same', 'more'])(
    'asks another member what one surely did not do (a second time does %s)',
    async (again) => {
      const members = await cluster(noLeader, answering);
      await clientOf(addresses(members)).call(PUT, KEY, again);
      expect(members.map(({ asked }) => asked.length)).toEqual([1, 1]);
    },
  );

  it.each<Again>(['none', 'same'])(
    'asks another member what one may have done where that does no harm (%s)',
    async (again) => {
      const members = await cluster(timedOut, answering);
      await clientOf(addresses(members)).call(PUT, KEY, again);
      expect(members.map(({ asked }) => asked.length)).toEqual([1, 1]);
    },
  );

  it('asks nobody again for a write that one may have done', async () => {
    const members = await cluster(timedOut, answering);
    const client = clientOf(addresses(members));
    await expect(client.call(PUT, KEY, 'more')).rejects.toMatchObject(unavailable('unknown'));
    expect(members[1]?.asked).toEqual([]);
    // The next one goes to a member that may do better.
    await client.call(PUT, KEY, 'more');
    expect(members[1]?.asked).toEqual(['Put']);
  });

  it('does not know of a write whose connection was lost', async () => {
    const members = await cluster(answering, answering);
    const [first, second] = members as [ScriptedEtcd, ScriptedEtcd];
    first.script = () => {
      first.stop();
      return hanging('Put');
    };
    const call = clientOf(addresses(members)).call(PUT, KEY, 'more');
    await expect(call).rejects.toMatchObject(unavailable('unknown'));
    expect(second.asked).toEqual([]);
  });

  it('keeps time for another member where one stands still', async () => {
    const members = await cluster(hanging, answering);
    const client = clientOf(addresses(members), 1_000);
    await client.call(RANGE, KEY, 'none');
    await client.call(KEEP_ALIVE, { ID: '1' }, 'same');
    expect(members.map(({ asked }) => asked)).toEqual([['Range'], ['Range', 'LeaseKeepAlive']]);
  });

  it('gives up a write at a member that stands still, and does not know of it', async () => {
    const members = await cluster(hanging, answering);
    const client = clientOf(addresses(members), 1_000);
    await expect(client.call(PUT, KEY, 'more')).rejects.toMatchObject(unavailable('unknown'));
    expect(members[1]?.asked).toEqual([]);
  });

  it('gives up in time when nobody can do it, and knows that nothing was done', async () => {
    const members = await cluster(noLeader, noLeader);
    const client = clientOf(addresses(members), 1_000);
    await expect(client.call(PUT, KEY, 'more')).rejects.toMatchObject(unavailable('no'));
    for (const { asked } of members) expect(asked.length).toBeGreaterThan(0);
    // It pauses between rounds.
    expect(members.flatMap(({ asked }) => asked).length).toBeLessThan(30);
  });

  it('gives up in time when nobody is there', async () => {
    const nobody = await startDropping();
    ending.push(() => nobody.stop());
    const client = clientOf([nobody.address], 200);
    await expect(client.call(PUT, KEY, 'more')).rejects.toMatchObject(unavailable('no'));
    await expect(client.connected(50)).rejects.toMatchObject(unavailable('no'));
  });

  it('remembers that it may have been done, whatever later attempts say', async () => {
    const members = await cluster(timedOut, noLeader);
    const client = clientOf(addresses(members), 1_000);
    members[0]!.script = (method) => {
      members[0]!.script = noLeader;
      return timedOut(method);
    };
    await expect(client.call(PUT, KEY, 'same')).rejects.toMatchObject(unavailable('unknown'));
  });

  it('says of a read that nothing was done, whatever happened to it', async () => {
    const members = await cluster(timedOut);
    const client = clientOf(addresses(members), 1_000);
    await expect(client.call(RANGE, KEY, 'none')).rejects.toMatchObject(unavailable('no'));
  });

  it('ends calls under way when it is closed, and takes no more', async () => {
    const members = await cluster(hanging);
    const [member] = members as [ScriptedEtcd];
    const client = clientOf(addresses(members));
    const called = new Promise<void>((resolve) => {
      member.script = (method) => {
        resolve();
        return hanging(method);
      };
    });
    const call = client.call(PUT, KEY, 'more');
    const failed = expect(call).rejects.toMatchObject(unavailable('unknown'));
    await called;
    client.close();
    await failed;
    await expect(client.call(RANGE, KEY, 'none')).rejects.toMatchObject(unavailable('no'));
    expect(client.closed).toBe(true);
  });

  it('has an endpoint', () => {
    expect(() => clientOf([])).toThrow(TypeError);
  });
});
