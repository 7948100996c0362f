import { canonicalize, utf8Length } from '@pawl/contracts';
import type { JsonObject, Prepare, Vote, VoteItem } from '@pawl/contracts';
import { sha256 } from '@pawl/contracts/node';
import { parseMessage } from '@pawl/contracts/validate';
import { beforeEach, describe, expect, it } from 'vitest';
import type { LastKnownGood } from '../applier/index.js';
import { ClientWorld, helloReply, SUBJECTS } from '../testing/client-world.js';
import { ADDRESS, INSTALLATION } from '../testing/make-snapshot.js';
import type { Pawl, Scope, Validate } from '../types.js';

/** Everything that can be said of whom a message is for, as this consumer is. */
const OURS: Partial<Prepare> = {
  ...{ workload: 'checkout', only: ['i1'], cohorts: ['a1', ''] },
  kinds: [
    { workload: 'shop', build: 'b2' },
    { workload: 'checkout', build: '1.2.3' },
  ],
};

let world: ClientWorld;
let judged: unknown[];
/** What `validate` does with a document that has the key. */
let rules: Record<string, () => unknown>;

const validate: Validate<unknown> = (document, about) => {
  judged.push([document, about.version]);
  for (const [key, rule] of Object.entries(rules)) {
    if (Object.hasOwn(document as object, key)) return rule();
  }
  return undefined;
};

beforeEach(() => {
  world = new ClientWorld();
  judged = [];
  rules = {
    sync: () => {
      throw new Error('no such thing');
    },
    never: () => new Promise(() => undefined),
    later: () => Promise.reject(new Error('not later either')),
  };
});

async function opened(): Promise<{ pawl: Pawl; scope: Scope }> {
  world.link.become('up');
  world.link.respond = () => helloReply([]);
  world.put({ version: 1 });
  const pawl = world.client();
  const scope = await pawl.open<Record<string, unknown>>(ADDRESS, { validate });
  await world.after(200);
  judged.length = 0;
  return { pawl, scope };
}

function prepare(document: JsonObject | null, change: Partial<Prepare> = {}): Prepare {
  const text = document === null ? '' : canonicalize(document);
  return {
    ...{ format: 1, installation: INSTALLATION, id: 'p1', address: ADDRESS, fencingToken: '5' },
    ...{ version: 2, hash: sha256(text), size: utf8Length(text), deadlineMs: 2_000 },
    ...(document === null ? { absent: true } : { inline: document }),
    ...change,
  };
}

/** The same, with the document to be fetched. */
function apart(document: JsonObject, change: Partial<Prepare> = {}): Prepare {
  const { inline: _, ...rest } = prepare(document, change);
  return rest;
}

function store(document: JsonObject): void {
  const text = canonicalize(document);
  const subject = SUBJECTS.content('acme', sha256(text));
  world.link.stored.set(`${SUBJECTS.contentStream} ${subject}`, text);
}

function ask(message: unknown): void {
  world.link.deliver('pawl.main.prepare.acme.prod.checkout.config', message);
}

function messages(): readonly Vote[] {
  return world.link.published
    .filter(({ subject }) => subject.includes('.vote.'))
    .map(({ message }) => {
      expect(parseMessage('vote', message)).toMatchObject({ ok: true });
      return message as Vote;
    });
}

function votes(): readonly VoteItem[] {
  return messages().flatMap(({ items }) => items);
}

describe('a preflight', () => {
  it('is answered by what validate says, and changes nothing', async () => {
    const { scope } = await opened();
    const before = { current: scope.current, acks: world.acks().length };
    const kept = JSON.stringify([...world.store.records]);
    const events: string[] = [];
    for (const event of ['applied', 'rejected', 'absent', 'error'] as const) {
      scope.on(event, () => events.push(event));
    }
    ask(prepare({ max: 5 }));
    ask(prepare({ sync: 1 }, { id: 'p2' }));
    await world.after(300);
    expect(judged).toEqual([
      [{ max: 5 }, 2],
      [{ sync: 1 }, 2],
    ]);
    expect(messages()).toMatchObject([{ format: 1, incarnation: 'i1' }]);
    expect(votes()).toEqual([
      { id: 'p1', address: ADDRESS, hash: sha256('{"max":5}'), verdict: 'accept' },
      {
        ...{ id: 'p2', address: ADDRESS, hash: sha256('{"sync":1}') },
        ...{ verdict: 'reject', reason: 'no such thing' },
      },
    ]);
    expect(scope.version).toBe(1);
    expect(scope.current).toBe(before.current);
    expect(world.acks()).toHaveLength(before.acks);
    expect(JSON.stringify([...world.store.records])).toBe(kept);
    expect(events).toEqual([]);
  });

  it.each([
    [{ pointer: '/limits/max' }, '/limits/max'],
    [{ instancePath: '/limits/max' }, '/limits/max'],
    [{ pointer: 'limits.max' }, undefined],
    [{ pointer: `/${'x'.repeat(1_024)}` }, undefined],
    [{ pointer: 7, instancePath: '' }, undefined],
    [{}, undefined],
  ])('is rejected with the pointer of what is thrown: %j', async (more, pointer) => {
    await opened();
    rules['sync'] = () => {
      throw Object.assign(new Error('too many'), more);
    };
    ask(prepare({ sync: 1 }));
    await world.after(300);
    expect(votes()).toHaveLength(1);
    expect(votes()[0]).toMatchObject({ verdict: 'reject', reason: 'too many' });
    expect(votes()[0]?.pointer).toBe(pointer);
  });

  it('waits for a validate that is asynchronous, and cuts it off', async () => {
    await opened();
    ask(prepare({ later: 1 }, { id: 'p1' }));
    await world.after(200);
    ask(prepare({ never: 1 }, { id: 'p2' }));
    await world.after(800);
    ask(prepare({ never: 1 }, { id: 'p3', deadlineMs: 100 }));
    await world.after(300);
    expect(votes()).toMatchObject([
      { id: 'p1', verdict: 'reject', reason: 'not later either' },
      { id: 'p2', verdict: 'cannot-say', reason: 'validate did not end within 500 ms' },
      { id: 'p3', verdict: 'cannot-say', reason: 'validate did not end within 100 ms' },
    ]);
  });

  it('about what this process must not run is rejected unseen', async () => {
    world.link.become('up');
    world.link.respond = () => helloReply([]);
    const document = { max: 5 };
    const kept = new Map<string, LastKnownGood>();
    world.put({ version: 1 });
    await world.client().open(ADDRESS);
    for (const [address, record] of world.store.records) kept.set(address, record);
    world.store.load = async ({ text }) => {
      const record = kept.get(text);
      if (record === undefined) return undefined;
      const of = { ...record.head, version: 2, hash: 'f'.repeat(64) };
      const content = sha256(canonicalize(document));
      return { ...record, refused: { of, reason: 'crash-loop: twice', content } };
    };
    await world.client().open(ADDRESS, { validate });
    judged.length = 0;
    ask(prepare(document));
    ask(apart(document, { id: 'p2' }));
    ask(prepare({ max: 6 }, { id: 'p3' }));
    await world.after(300);
    const own = votes().filter(({ verdict }) => verdict === 'reject');
    expect(own).toMatchObject([
      { id: 'p1', reason: 'crash-loop: twice' },
      { id: 'p2', reason: 'crash-loop: twice' },
    ]);
    expect(judged).toEqual([[{ max: 6 }, 2]]);
  });

  it('of nothing is accepted unseen', async () => {
    await opened();
    ask(prepare(null));
    await world.after(300);
    expect(votes()).toMatchObject([{ verdict: 'accept', hash: sha256('') }]);
    expect(judged).toEqual([]);
  });

  it('of a document that is not what its hash says cannot be answered', async () => {
    await opened();
    ask(prepare({ max: 5 }, { hash: sha256('{"max":6}') }));
    await world.after(300);
    expect(votes()).toMatchObject([{ verdict: 'cannot-say' }]);
    expect(judged).toEqual([]);
  });
});

describe('a large document', () => {
  it('is fetched once, for the preflight and the release', async () => {
    const { scope } = await opened();
    const document = { large: 'x'.repeat(10_000) };
    ask(apart(document));
    await world.after(100);
    expect(votes()).toEqual([]);
    store(document);
    await world.after(600);
    expect(votes()).toMatchObject([{ verdict: 'accept' }]);
    const reads = world.link.reads.length;
    world.push({ version: 2, document, byHash: true });
    await world.after(300);
    world.put({ version: 2, document, byHash: true });
    await world.after(10_000);
    expect(scope.version).toBe(2);
    expect(scope.current).toEqual(document);
    const fetched = world.link.reads.slice(reads).filter((read) => read.includes('.content.'));
    expect(fetched).toEqual([]);
  });

  it('that ran before is not fetched again for a rollback', async () => {
    const { scope } = await opened();
    const large = 'x'.repeat(10_000);
    const documents = [
      { at: 1, large },
      { at: 2, large },
    ] as const;
    for (const [at, document] of documents.entries()) {
      store(document);
      world.put({ version: 2 + at, document, byHash: true });
      world.push({ version: 2 + at, document, byHash: true });
      await world.after(300);
    }
    expect(scope.current).toEqual(documents[1]);
    const reads = world.link.reads.length;
    world.link.stored.clear();
    world.push({ version: 4, document: documents[0], byHash: true });
    await world.after(300);
    expect(scope.current).toEqual(documents[0]);
    expect(scope.version).toBe(4);
    expect(world.link.reads.slice(reads)).toEqual([]);
  });

  it('that cannot be fetched in time is not judged', async () => {
    await opened();
    ask(apart({ large: 'x' }, { deadlineMs: 300 }));
    await world.after(1_000);
    store({ large: 'x' });
    await world.after(2_000);
    expect(votes()).toMatchObject([
      { verdict: 'cannot-say', reason: 'the document could not be fetched within 300 ms' },
    ]);
    expect(judged).toEqual([]);
  });
});

describe('asked again', () => {
  it('it answers from memory, unless about another document', async () => {
    await opened();
    ask(prepare({ max: 5 }));
    await world.after(300);
    ask(prepare({ max: 5 }, { deadlineMs: 900 }));
    await world.after(300);
    expect(votes()).toHaveLength(2);
    expect(votes()[1]).toEqual(votes()[0]);
    expect(judged).toHaveLength(1);
    ask(prepare({ sync: 1 }));
    await world.after(300);
    expect(votes()[2]).toMatchObject({ id: 'p1', verdict: 'reject' });
  });

  it('while it validates it goes on, and answers once', async () => {
    await opened();
    let end: () => void = () => undefined;
    rules['slow'] = () => new Promise<void>((resolve) => (end = resolve));
    ask(prepare({ slow: 1 }));
    ask(prepare({ slow: 1 }));
    await world.after(50);
    end();
    await world.after(300);
    expect(votes()).toMatchObject([{ verdict: 'accept' }]);
    expect(judged).toHaveLength(1);
  });

  it('about one document it answers about another one meanwhile', async () => {
    await opened();
    let end: () => void = () => undefined;
    rules['slow'] = () => new Promise<void>((resolve) => (end = resolve));
    ask(prepare({ slow: 1 }));
    ask(prepare({ max: 5 }, { id: 'p2' }));
    await world.after(300);
    expect(votes()).toMatchObject([{ id: 'p2', verdict: 'accept' }]);
    end();
    await world.after(300);
    expect(votes()).toMatchObject([{ id: 'p2' }, { id: 'p1', verdict: 'accept' }]);
  });

  it('about another one in the same preflight it answers both', async () => {
    await opened();
    let end: () => void = () => undefined;
    rules['slow'] = () => new Promise<void>((resolve) => (end = resolve));
    ask(prepare({ slow: 1 }));
    ask(prepare({ max: 5 }));
    end();
    await world.after(300);
    expect(new Set(votes().map(({ hash }) => hash))).toEqual(
      new Set([sha256('{"max":5}'), sha256('{"slow":1}')]),
    );
  });

  it('about more than eight it cannot say of the ninth, until one has ended', async () => {
    await opened();
    const ids = Array.from({ length: 9 }, (_, at) => `p${at}`);
    for (const id of ids) ask(prepare({ never: 1 }, { id }));
    await world.after(300);
    expect(votes()).toMatchObject([
      { id: 'p8', verdict: 'cannot-say', reason: '8 other preflights were under way here' },
    ]);
    await world.after(500);
    expect(votes()).toHaveLength(9);
    ask(prepare({ max: 5 }, { id: 'p8' }));
    await world.after(300);
    expect(votes()[9]).toMatchObject({ id: 'p8', verdict: 'accept' });
  });
});

describe('what is not for this consumer', () => {
  it.each([
    ['of another installation', { installation: 'main/other' }],
    ['about another address', { address: 'acme/prod' }],
    ['for another workload', { workload: 'shop' }],
    ['for other processes', { only: ['i2', 'i3'] }],
    ['of a former owner', { fencingToken: '4' }],
    ['for another cohort', { cohorts: ['a1', 'a2'] }],
    ['for another build', { kinds: [{ workload: 'checkout', build: 'b2' }] }],
    ['for the build of another workload', { kinds: [{ workload: 'shop', build: '1.2.3' }] }],
  ])('is passed over: a message %s', async (_, change) => {
    await opened();
    ask(prepare({ max: 5 }, { ...OURS, id: 'p0' }));
    ask(prepare({ max: 5 }, change));
    await world.after(300);
    expect(votes()).toMatchObject([{ id: 'p0' }]);
    expect(judged).toHaveLength(1);
  });

  it('is told when it is no message at all', async () => {
    const { scope } = await opened();
    const codes: string[] = [];
    scope.on('error', ({ code }) => codes.push(code));
    ask('{"format":1}');
    await world.after(300);
    expect(codes).toEqual(['malformed-message']);
    expect(votes()).toEqual([]);
  });

  it('is nothing any more once it is closed', async () => {
    const { pawl } = await opened();
    let end: () => void = () => undefined;
    rules['slow'] = () => new Promise<void>((resolve) => (end = resolve));
    ask(prepare({ slow: 1 }));
    await pawl.close();
    end();
    world.link.state = 'up';
    ask(prepare({ max: 5 }, { id: 'p2' }));
    await world.after(300);
    expect(votes()).toEqual([]);
  });
});

describe('votes', () => {
  it('of several addresses travel together, per root', async () => {
    world.link.become('up');
    world.link.respond = () => helloReply([]);
    const addresses = ['acme/a', 'acme/b', 'other/c'];
    for (const text of addresses) world.put({ version: 1, address: text });
    const pawl = world.client();
    await Promise.all(addresses.map((text) => pawl.open(text)));
    for (const address of addresses) {
      const subject = `pawl.main.prepare.${address.replace('/', '.')}.config`;
      world.link.deliver(subject, prepare({ max: 5 }, { address }));
    }
    await world.after(300);
    const sent = world.link.published.filter(({ subject }) => subject.includes('.vote.'));
    expect(sent.map(({ subject }) => subject).sort()).toEqual([
      'pawl.main.vote.acme.a.c1',
      'pawl.main.vote.other.a.c1',
    ]);
    expect(
      votes()
        .map(({ address }) => address)
        .sort(),
    ).toEqual(addresses);
  });

  it('of who is asked by name are given at once, and with them those that wait', async () => {
    await opened();
    for (let round = 0; round < 5; round += 1) {
      ask(prepare({ max: round }, { id: `many-${round}` }));
      await world.after(1);
      ask(prepare({ max: round }, { id: `named-${round}`, only: ['i1', 'i2'] }));
      await world.after(1);
      expect(votes()).toHaveLength(2 * (round + 1));
    }
    expect(messages().filter(({ items }) => items.length === 2)).not.toEqual([]);
  });

  it('spread over more time where heartbeats are rarer, but are never late', async () => {
    const { scope } = await opened();
    world.link.respond = () => helloReply([], { nextHelloMs: 100_000 });
    await world.after(6_000);
    let waited = 0;
    for (let round = 0; round < 20; round += 1) {
      ask(prepare({ max: round }, { id: `p${round}`, deadlineMs: 4_000 }));
      const sent = votes().length;
      for (let ms = 0; votes().length === sent && ms < 1_000; ms += 10) {
        await world.after(10);
        waited = Math.max(waited, ms);
      }
      expect(votes()).toHaveLength(sent + 1);
    }
    expect(waited).toBeGreaterThan(200);
    expect(scope.version).toBe(1);
  });
});
