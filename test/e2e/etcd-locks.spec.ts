import { Client, credentials, type MethodDefinition, type ServiceError } from '@grpc/grpc-js';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { etcdServices, type EtcdService } from '../../libs/metadata/src/etcd-protocol/services.js';
import { startQuorum, type TestQuorum } from '../support/quorum-cluster.js';

/* The lock and the election that members serve, while one of them is killed. */

const CONTENDERS = 10;
const ROUNDS = 3;
/** Rounds that are over before the kill, of all together. */
const BEFORE_THE_KILL = 6;
/** Of one try of a call; a wait takes all rounds at most. */
const TRY_MS = 30_000;
const RETRY_MS = 50;
/** Longer than the test. */
const TTL = 120;
const LOCK = Buffer.from('mutex');
const COUNTER = Buffer.from('counter');

interface Keys {
  readonly kvs: readonly { readonly value: Buffer; readonly mod_revision: string }[];
}

let quorum: TestQuorum;
let members: Client[] = [];
const killed = new Set<number>();

beforeAll(async () => {
  quorum = await startQuorum();
  const channel = { 'grpc.max_reconnect_backoff_ms': 200, 'grpc.initial_reconnect_backoff_ms': 50 };
  members = quorum.endpoints.map(
    (endpoint) => new Client(endpoint, credentials.createInsecure(), channel),
  );
});

afterEach(({ task }) => {
  if (task.result?.state !== 'fail') return;
  for (const one of quorum.members) console.error(`--- ${one.name}\n${one.log()}`);
});

afterAll(async () => {
  for (const member of members) member.close();
  await quorum?.stop();
});

/** One try at one member. */
async function once<Answer>(
  member: number,
  service: EtcdService,
  name: string,
  request: object,
): Promise<Answer> {
  const method = etcdServices()[service][name] as MethodDefinition<object, Answer>;
  const { path, requestSerialize, responseDeserialize } = method;
  return new Promise((resolve, reject) => {
    members[member]!.makeUnaryRequest(
      path,
      requestSerialize,
      responseDeserialize,
      request,
      { deadline: Date.now() + TRY_MS },
      (error: ServiceError | null, answer) => {
        if (error === null) resolve(answer!);
        else reject(error);
      },
    );
  });
}

/** The next member that lives, behind this one. */
function after(member: number): number {
  for (let next = (member + 1) % members.length; ; next = (next + 1) % members.length) {
    if (!killed.has(next)) return next;
  }
}

/** One who takes the lock, counts, and gives it back; goes to another member where one fails it. */
class Contender {
  /** Calls for the lock that began before the kill and were answered after it, by who lives. */
  outlasted = 0;

  constructor(private member: number) {}

  /** With a lease for this alone: a deletion that comes late has nothing of another round to delete. */
  async round(inside: { count: number }, lease: number): Promise<void> {
    const { key } = await this.lock(lease);
    inside.count += 1;
    expect(inside.count).toBe(1);
    await this.count(lease);
    expect(inside.count).toBe(1);
    inside.count -= 1;
    await this.ask('v3lockpb.Lock', 'Unlock', { key });
  }

  async lock(lease: number): Promise<{ readonly key: Buffer }> {
    const request = { name: LOCK, lease };
    for (;;) {
      const { member } = this;
      const living = killed.size === 0;
      try {
        const answer = await once<{ key: Buffer }>(member, 'v3lockpb.Lock', 'Lock', request);
        if (living && killed.size > 0) this.outlasted += 1;
        return answer;
      } catch {
        await this.move();
      }
    }
  }

  /** Reads the counter and writes the next: by who does so at once, one would fail. */
  async count(by: number): Promise<void> {
    const { kvs } = await this.ask<Keys>('etcdserverpb.KV', 'Range', { key: COUNTER });
    const [kv] = kvs;
    const next = `${Number((kv?.value.toString() ?? '0').split(' ')[0]) + 1} ${by}`;
    const answer = await this.ask<{ succeeded: boolean; responses: [{ response_range: Keys }] }>(
      'etcdserverpb.KV',
      'Txn',
      {
        compare: [{ target: 2, result: 0, key: COUNTER, mod_revision: kv?.mod_revision ?? 0 }],
        success: [{ request_put: { key: COUNTER, value: Buffer.from(next) } }],
        failure: [{ request_range: { key: COUNTER } }],
      },
    );
    /* A try before this one may have done it, unseen. */
    if (!answer.succeeded) {
      expect(answer.responses[0].response_range.kvs[0]?.value.toString()).toBe(next);
    }
  }

  /** Until a member has answered: to be asked more than once must do no harm. */
  async ask<Answer>(service: EtcdService, name: string, request: object): Promise<Answer> {
    for (;;) {
      try {
        return await once<Answer>(this.member, service, name, request);
      } catch {
        await this.move();
      }
    }
  }

  private async move(): Promise<void> {
    await sleep(RETRY_MS);
    this.member = after(this.member);
  }
}

it('lets one in at a time, through whichever member, though the leader is killed', async () => {
  const leader = quorum.members.indexOf(await quorum.settled());
  const contenders = Array.from(
    { length: CONTENDERS },
    (_, at) => new Contender(at % members.length),
  );
  for (let ID = 1; ID <= CONTENDERS * ROUNDS; ID += 1) {
    await contenders[0]!.ask('etcdserverpb.Lease', 'LeaseGrant', { ID, TTL });
  }
  const inside = { count: 0 };
  const begunMs = performance.now();
  let rounds = 0;
  let enough = (): void => undefined;
  const ready = new Promise<void>((resolve) => (enough = resolve));
  const all = contenders.map(async (contender, at) => {
    for (let round = 0; round < ROUNDS; round += 1) {
      await contender.round(inside, at * ROUNDS + round + 1);
      rounds += 1;
      if (rounds === BEFORE_THE_KILL) enough();
    }
  });
  const done = Promise.all(all);
  await Promise.race([ready, done]);
  killed.add(leader);
  await quorum.members[leader]!.kill();
  const killedMs = performance.now() - begunMs;
  await done;
  const doneMs = performance.now() - begunMs;

  const [witness] = contenders;
  const { kvs } = await witness!.ask<Keys>('etcdserverpb.KV', 'Range', { key: COUNTER });
  expect(Number(kvs[0]?.value.toString().split(' ')[0])).toBe(CONTENDERS * ROUNDS);
  const below = { key: Buffer.from('mutex/'), range_end: Buffer.from('mutex0') };
  expect(await witness!.ask<Keys>('etcdserverpb.KV', 'Range', below)).toMatchObject({ kvs: [] });
  const outlasted = contenders.reduce((sum, one) => sum + one.outlasted, 0);
  expect(outlasted).toBeGreaterThan(0);
  console.log(
    `${rounds} rounds in ${doneMs.toFixed()} ms, the leader killed after ${killedMs.toFixed()} ms; ` +
      `${outlasted} waits outlasted it`,
  );
});
