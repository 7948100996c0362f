import { Etcd3 } from 'etcd3';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import type { RunningEtcdctl } from '../support/etcdctl.js';
import { eventually } from '../support/eventually.js';
import { startQuorum, type TestQuorum } from '../support/quorum-cluster.js';

/* What etcdctl and etcd3 see while the members they talk to are killed, one after the other. */

const PREFIX = 'w/';
/** Puts between a kill and the return of who was killed, at least. */
const PUTS_WITHOUT_ONE = 20;
/** The longest that a client needs to find another member: etcd3 leaves one alone for 5 s. */
const MOVES_WITHIN_MS = 30_000;

/** Seconds, of the lock and of the lease: time enough to move, and less than the test takes. */
const TTL = 8;

/** A put that a client was told of: unique in a store. */
interface Told {
  readonly key: string;
  readonly revision: string;
}

let quorum: TestQuorum;
let writer: Etcd3;

const connect = (endpoints: readonly string[]): Etcd3 =>
  new Etcd3({ hosts: endpoints.map((endpoint) => `http://${endpoint}`) });

beforeAll(async () => {
  quorum = await startQuorum();
  writer = connect(quorum.endpoints);
});

afterEach(({ task }) => {
  if (task.result?.state !== 'fail') return;
  for (const one of quorum.members) console.error(`--- ${one.name}\n${one.log()}`);
});

afterAll(async () => {
  writer?.close();
  await quorum?.stop();
});

const keyOf = (at: number): string => `${PREFIX}${String(at).padStart(6, '0')}`;

/** Puts one key after the other until it is stopped; a put may be made twice, a key is not left out. */
class Writing {
  readonly #ended: Promise<void>;
  #count = 0;
  #stopped = false;

  constructor() {
    this.#ended = this.#run();
  }

  /** Keys that were put. */
  get count(): number {
    return this.#count;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#ended;
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const put = () => writer.put(keyOf(this.#count)).value('x').exec();
      await eventually(put, MOVES_WITHIN_MS);
      this.#count += 1;
    }
  }
}

/** All puts below the prefix, those too that were made over, in the order of their revisions. */
async function written(): Promise<readonly Told[]> {
  const { kvs } = await writer.getAll().prefix(PREFIX).exec();
  const all: Told[] = [];
  for (const newest of kvs) {
    const key = newest.key.toString();
    for (let kv = newest; ;) {
      all.push({ key, revision: kv.mod_revision });
      if (kv.version === '1') break;
      const before = await writer
        .get(key)
        .revision(`${BigInt(kv.mod_revision) - 1n}`)
        .exec();
      kv = before.kvs[0]!;
    }
  }
  return all.sort((one, two) => Number(BigInt(one.revision) - BigInt(two.revision)));
}

/** Reads on and on what `etcdctl watch -w json` prints; ends with it. */
async function follow(watch: RunningEtcdctl, told: Told[]): Promise<void> {
  for (;;) {
    const { Events } = JSON.parse(await watch.line(MOVES_WITHIN_MS)) as {
      readonly Events: readonly { readonly kv: { key: string; mod_revision: number } }[] | null;
    };
    for (const { kv } of Events ?? []) {
      const key = Buffer.from(kv.key, 'base64').toString();
      told.push({ key, revision: `${kv.mod_revision}` });
    }
  }
}

const has = (told: readonly Told[], key: string): boolean => told.some((one) => one.key === key);

it('go on with watches, a lock and a lease whoever is killed: nothing is lost, nothing is told twice', async () => {
  const { header } = await writer.put('before').value('x');
  const byEtcdctl: Told[] = [];
  const watch = quorum.etcdctl.start([
    ...['watch', '--prefix', PREFIX, '-w', 'json'],
    `--rev=${BigInt(header.revision) + 1n}`,
  ]);
  const followed = follow(watch, byEtcdctl);
  followed.catch(() => undefined);
  const byEtcd3: Told[] = [];
  const client = connect(quorum.endpoints);
  const watcher = await client.watch().prefix(PREFIX).create();
  watcher.on('put', ({ key, mod_revision }) => {
    byEtcd3.push({ key: key.toString(), revision: mod_revision });
  });
  const lock = quorum.etcdctl.start(['lock', 'held', `--ttl=${TTL}`]);
  const lockKey = await lock.line();
  const lease = client.lease(TTL);
  const lost: Error[] = [];
  lease.on('lost', (error) => lost.push(error));
  await lease.put('leased').value('x');

  const writing = new Writing();
  const leader = await quorum.settled();
  for (const member of [leader, ...quorum.members.filter((one) => one !== leader)]) {
    await member.kill();
    const key = keyOf(writing.count + PUTS_WITHOUT_ONE);
    // All the way before the next kill: etcd3 takes note of the newest revision as it connects, and
    // would leave out what it was not told yet if it lost that connection as well.
    await eventually(() => {
      expect([has(byEtcdctl, key), has(byEtcd3, key)]).toEqual([true, true]);
    }, MOVES_WITHIN_MS);
    await member.start();
    await quorum.settled();
  }
  await writing.stop();

  const all = await written();
  expect(all.length).toBeGreaterThanOrEqual(3 * PUTS_WITHOUT_ONE);
  await eventually(() => {
    expect(byEtcdctl.length).toBeGreaterThanOrEqual(all.length);
    expect(byEtcd3.length).toBeGreaterThanOrEqual(all.length);
  });
  expect(byEtcdctl).toEqual(all);
  expect(byEtcd3).toEqual(all);
  expect(lost).toEqual([]);
  expect(await writer.get('leased')).toBe('x');
  const { kvs } = await writer.getAll().prefix('held/').exec();
  expect(kvs.map(({ key, version }) => [key.toString(), version])).toEqual([[lockKey, '1']]);
  await lease.revoke();
  await lock.stop();
  expect(await writer.getAll().prefix('held/').count()).toBe(0);
  await watch.stop();
  await expect(followed).rejects.toThrow('etcdctl ended');
  await watcher.cancel();
  client.close();
});
