import { address } from '@pawl/contracts';
import { beforeEach, describe, expect, it } from 'vitest';
import { ClientWorld, helloReply, SUBJECTS } from '../testing/client-world.js';
import { FakeLink } from '../testing/fake-link.js';
import { ADDRESS, makeRelease, makeSnapshot } from '../testing/make-snapshot.js';

const AT = address(ADDRESS);
let world: ClientWorld;

beforeEach(() => {
  world = new ClientWorld();
});

/** A process that runs what the stream holds, and leaves it in its file. */
async function runOnce(): Promise<void> {
  const pawl = world.client();
  await pawl.open(ADDRESS);
  await pawl.close();
}

/** From now on the disk holds back what it has until that is called. */
function delayDisk(): () => void {
  const load = world.store.load;
  let answers: () => void = () => undefined;
  const asked = new Promise<void>((resolve) => (answers = resolve));
  world.store.load = (at) => asked.then(() => load(at));
  return answers;
}

describe('open', () => {
  it('subscribes first, reads, and takes the newer of push and read', async () => {
    world.link.become('up');
    let release: () => void = () => undefined;
    world.link.flushes = () => new Promise((resolve) => (release = resolve));
    world.put({ version: 1 });
    const opening = world.client().open(ADDRESS);
    await world.turns();
    expect(world.link.subjects).toEqual([SUBJECTS.push(AT), SUBJECTS.prepare(AT)]);
    expect(world.link.reads).toEqual([]);
    world.push({ version: 2 });
    release();
    const scope = await opening;
    await world.turns();
    expect(world.link.reads).toHaveLength(1);
    expect(scope.version).toBe(2);
    expect(scope.current).toEqual({ version: 2 });
  });

  it('reads again with back-off while less than was pushed is there', async () => {
    world.link.become('up');
    world.put({ version: 1 });
    const scope = await world.client().open(ADDRESS);
    world.push({ version: 2 }, 'named');
    await world.turns();
    expect(scope.version).toBe(1);
    const before = world.link.reads.length;
    await world.after(1_000);
    expect(world.link.reads.length).toBeGreaterThan(before + 1);
    expect(world.link.reads.length).toBeLessThan(before + 10);
    world.put({ version: 2 });
    await world.after(5_000);
    expect(scope.version).toBe(2);
  });

  it('uses the file at once when refused, after the time-out when nobody answers', async () => {
    world.put({ version: 3 });
    world.link.become('up');
    await runOnce();

    world.link = new FakeLink();
    const refused = world.client().open(ADDRESS);
    await world.turns();
    world.link.become('down');
    expect((await refused).version).toBe(3);

    world.link = new FakeLink();
    let done = false;
    const silent = world
      .client()
      .open(ADDRESS)
      .finally(() => (done = true));
    await world.after(1_990);
    expect(done).toBe(false);
    await world.after(20);
    expect((await silent).version).toBe(3);
    expect(world.link.listeners).toBe(1);
  });

  it('hears nothing before the file was read', async () => {
    world.link.become('up');
    const snapshot = world.put({ version: 1 });
    world.link.respond = () =>
      helloReply([{ address: ADDRESS, generation: 1, version: 1, hash: snapshot.hash }]);
    let release: () => void = () => undefined;
    world.store.load = () => new Promise((resolve) => (release = () => resolve(undefined)));
    const pawl = world.client();
    const opening = pawl.open(ADDRESS);
    await world.after(1_000);
    expect(world.link.requested.length + world.link.reads.length).toBe(0);
    release();
    await opening;
    expect(world.store.records.get(ADDRESS)?.head.version).toBe(1);
  });

  it('does not wait for a disk that is late, takes what it held when it answers, and keeps what comes', async () => {
    world.put({ version: 3 });
    world.link.become('up');
    await runOnce();

    world.link = new FakeLink();
    world.link.become('down');
    const answers = delayDisk();
    const pawl = world.client();
    const errors: string[] = [];
    const opening = pawl.open(ADDRESS);
    await world.after(5_000);
    answers();
    const scope = await opening;
    scope.on('error', ({ code }) => errors.push(code));
    expect(scope.version).toBe(3);
    world.push({ version: 4 });
    await world.turns();
    expect(errors).toEqual(['cache-unavailable']);
    expect(world.store.records.get(ADDRESS)?.head.version).toBe(4);
    await pawl.close();
  });

  it('keeps what was applied before a late disk answers, unless that held something newer', async () => {
    for (const [held, kept] of [
      [undefined, 5],
      [4, 5],
      [6, 6],
    ] as const) {
      world = new ClientWorld();
      world.link.become('up');
      if (held !== undefined) {
        world.put({ version: held });
        const first = world.client();
        await first.open(ADDRESS);
        await first.close();
      }
      world.link = new FakeLink();
      world.link.become('up');
      const answers = delayDisk();
      world.put({ version: 5 });
      const opening = world.client().open(ADDRESS);
      await world.after(2_100);
      expect((await opening).version).toBe(5);
      expect(world.store.records.get(ADDRESS)?.head.version).toBe(held);
      answers();
      await world.turns();
      expect(world.store.records.get(ADDRESS)?.head.version).toBe(kept);
    }
  });

  it('keeps the cohort that it runs when a late disk holds the same version as another one', async () => {
    const stages = [{ basisPoints: 0, named: ['checkout/0'] }];
    const releases = [makeRelease('r1', 0, { stages })];
    world.put({ version: 1, releases, cohorts: { r1: { new: true } } });
    world.link.become('up');
    await runOnce();
    expect(world.store.records.get(ADDRESS)?.head.cohort).toBe('');
    const { stored } = world.link;
    world.link = Object.assign(new FakeLink(), { stored });
    world.link.respond = () => helloReply([]);
    world.link.become('up');
    const answers = delayDisk();
    const opening = world.client().open(ADDRESS);
    await world.after(3_000);
    expect((await opening).current).toEqual({ new: true });
    answers();
    await world.turns();
    expect(world.store.records.get(ADDRESS)?.head).toMatchObject({ version: 1, cohort: 'r1' });
  });

  it('leaves alone what a late disk holds of another installation', async () => {
    world.link.become('up');
    world.put({ version: 3, installation: 'main/other' });
    await runOnce();
    world.link = new FakeLink();
    world.link.become('up');
    const answers = delayDisk();
    world.put({ version: 1 });
    const opening = world.client().open(ADDRESS);
    await world.after(2_100);
    const scope = await opening;
    const errors: string[] = [];
    scope.on('error', ({ code }) => errors.push(code));
    answers();
    await world.turns();
    world.push({ version: 4 });
    await world.turns();
    expect(scope.version).toBe(4);
    expect(errors).toContain('foreign-installation');
    expect(world.store.records.get(ADDRESS)?.head.version).toBe(3);
  });

  it('rejects with no-snapshot in the end, and can be tried again', async () => {
    const pawl = world.client();
    world.link.become('up');
    const opening = pawl.open(ADDRESS);
    const failing = expect(opening).rejects.toMatchObject({
      code: 'no-snapshot',
      recoverable: true,
    });
    await world.after(10_010);
    await failing;
    expect(world.link.subjects).toEqual([]);
    world.put({ version: 1 });
    expect((await pawl.open(ADDRESS)).version).toBe(1);
  });

  it('tells in the end why the network was not reached', async () => {
    world.link.trouble = 'NATS at nats.example:4222 is not reached: connection refused';
    const failing = expect(world.client().open(ADDRESS)).rejects.toThrow(
      'NATS at nats.example:4222 is not reached: connection refused, and no cache folder has one',
    );
    await world.after(10_010);
    await failing;
  });

  it('tells why when the only snapshot was rejected', async () => {
    world.link.become('up');
    world.put({ version: 4 });
    const validate = () => {
      throw new Error('maxItems is too high');
    };
    const failing = expect(world.client().open(ADDRESS, { validate })).rejects.toThrow(
      /maxItems is too high/,
    );
    await world.after(10_010);
    await failing;
    expect(world.acks().flatMap(({ items }) => items)).toMatchObject([
      { version: 4, state: 'rejected', reason: 'maxItems is too high' },
    ]);
  });

  it('gives the same scope for the same address and refuses a second validate', async () => {
    world.link.become('up');
    world.put({ version: 1 });
    const pawl = world.client();
    const [one, two] = await Promise.all([pawl.open(ADDRESS), pawl.open(`${ADDRESS}:config`)]);
    expect(one).toBe(two);
    expect(await pawl.open(ADDRESS)).toBe(one);
    await expect(pawl.open(ADDRESS, { validate: () => true })).rejects.toMatchObject({
      code: 'already-open',
    });
    expect(new Set(world.link.subjects).size).toBe(world.link.subjects.length);
  });

  it.each(['', 'Acme', 'a//b', 'a:b:c', '../x', 'a/b/c/d/e/f/g/h/i'])(
    'refuses %j',
    async (text) => {
      await expect(world.client().open(text)).rejects.toMatchObject({
        code: 'bad-address',
        recoverable: false,
      });
    },
  );

  it('refuses bad open options', async () => {
    const pawl = world.client();
    await expect(pawl.open(ADDRESS, { validate: 7 as never })).rejects.toMatchObject({
      code: 'bad-options',
    });
    await expect(pawl.open(ADDRESS, { openTimeoutMs: NaN })).rejects.toMatchObject({
      code: 'bad-options',
    });
  });
});

describe('validate', () => {
  it('may be asynchronous, under a deadline', async () => {
    world.link.become('up');
    world.put({ version: 1 });
    const seen: unknown[] = [];
    const validate = (
      document: Readonly<Record<string, unknown>>,
      { version }: { version: number },
    ) => {
      seen.push([document, version]);
      if (version === 2) return new Promise(() => undefined);
      if (version === 3) return Promise.reject(new Error('later'));
      return Promise.resolve(false);
    };
    const scope = await world.client().open(ADDRESS, { validate });
    const rejected: unknown[] = [];
    scope.on('rejected', (event) => rejected.push(event));
    world.push({ version: 2 });
    await world.after(600);
    world.push({ version: 3 });
    await world.turns();
    expect(scope.version).toBe(1);
    world.push({ version: 4 });
    await world.turns();
    expect(scope.version).toBe(4);
    expect(rejected).toEqual([
      { version: 2, reason: 'validate did not end within 500 ms' },
      { version: 3, reason: 'later' },
    ]);
    expect(seen[0]).toEqual([{ version: 1 }, 1]);
  });
});

describe('bad messages', () => {
  it('are reported one by one and change nothing', async () => {
    world.link.become('up');
    world.put({ version: 1 });
    const scope = await world.client().open(ADDRESS);
    const codes: string[] = [];
    scope.on('error', ({ code }) => codes.push(code));
    const subject = SUBJECTS.push(AT);
    world.link.deliver(subject, 'not json');
    world.link.deliver(subject, { format: 1 });
    world.link.deliver(subject, {
      format: 2,
      address: ADDRESS,
      generation: 1,
      version: 2,
      hash: '0'.repeat(64),
    });
    world.push({ version: 2, address: 'acme/other' }, 'named');
    const { generation, version, hash } = makeSnapshot({ version: 2 });
    const header = { format: 1, address: ADDRESS, generation, version, hash };
    world.link.deliver(subject, { ...header, snapshot: { format: 1 } });
    world.link.deliver(subject, {
      ...header,
      snapshot: makeSnapshot({ version: 9, installation: 'other/1' }),
    });
    world.link.deliver(subject, {
      ...header,
      snapshot: { ...makeSnapshot({ version: 3 }), version: 8 },
    });
    await world.after(2_000);
    expect(codes.slice(0, 5).every((code) => code === 'malformed-message')).toBe(true);
    expect(codes.slice(5)).toEqual(['foreign-installation', 'hash-mismatch']);
    expect(scope.version).toBe(1);
    world.push({ version: 2 });
    await world.turns();
    expect(scope.version).toBe(2);
  });
});

describe('damaged messages', () => {
  it('make consumers read again, spread over time', async () => {
    world.link.become('up');
    world.put({ version: 1 });
    const scope = await world.client().open(ADDRESS);
    await world.turns();
    const reads = world.link.reads.length;
    const good = world.put({ version: 2 });
    const { generation, version, hash } = good;
    const damaged = { ...good, publishedAt: '2026-01-01T00:00:00Z', inputs: [] };
    const push = { format: 1, address: ADDRESS, generation, version, hash, snapshot: damaged };
    world.link.deliver(SUBJECTS.push(AT), push);
    await world.turns();
    expect(world.link.reads.length).toBe(reads);
    await world.after(1_010);
    expect(scope.version).toBe(2);
  });
});

describe('contents', () => {
  it('are tried again until they are there and right', async () => {
    world.link.become('up');
    const snapshot = world.put({ version: 1, byHash: true });
    const key = `${SUBJECTS.contentStream} ${SUBJECTS.content('acme', snapshot.variants['']!.hash)}`;
    const opening = world.client().open(ADDRESS);
    await world.after(500);
    world.link.stored.set(key, '{"version":2}');
    await world.after(500);
    world.link.stored.set(key, '{"version":1}');
    await world.after(2_000);
    const scope = await opening;
    expect(scope.current).toEqual({ version: 1 });
    const codes: string[] = [];
    scope.on('error', ({ code }) => codes.push(code));
    await world.turns();
    expect(codes).toEqual(['content-missing']);
  });
});
