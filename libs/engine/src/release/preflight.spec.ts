import { address, canonicalize, utf8Length } from '@pawl/contracts';
import type {
  Hello,
  Outcome,
  PreflightRequest,
  PreflightView,
  Prepare,
  VoteItem,
} from '@pawl/contracts';
import { sha256 } from '@pawl/contracts/node';
import { beforeEach, describe, expect, it } from 'vitest';
import type { ConsumerRef } from '../config-engine.js';
import { claimedWorld, code } from '../testing/engine-world.fixture.js';
import type { EngineWorld } from '../testing/engine-world.js';

let world: EngineWorld;
let asked: Prepare[];

beforeEach(async () => {
  world = await claimedWorld();
  asked = [];
  world.publisher.onPrepare = (message) => asked.push(message);
  await world.put('acme', { currency: 'EUR' });
  await world.promote('acme');
  await world.put('acme/shop', { max: 1 });
  await world.promote('acme/shop');
  await world.over('acme/shop', { max: 2 });
  await world.settle();
});

const ref = (consumerId: string, workload = 'shop'): ConsumerRef => ({
  ...{ root: 'acme', workload, consumerId },
});

async function live(consumerId: string, more: Partial<Hello> & { at?: string[] } = {}) {
  const { at = ['acme/shop'], ...hello } = more;
  const runs = at.map((one) => ({ address: one, generation: 1, version: 1 }));
  const whole = {
    format: 1,
    incarnation: `${consumerId}-1`,
    labels: {},
    build: 'b1',
    runs,
  } as const;
  await world.use.hello(ref(consumerId), { ...whole, ...hello });
}

function vote(consumerId: string, answer: Partial<VoteItem> = {}, incarnation?: string): void {
  const { id, address: at, hash } = asked[0]!;
  const item: VoteItem = { id, address: at, hash, verdict: 'accept', ...answer };
  const from = incarnation ?? `${consumerId}-1`;
  world.use.vote(ref(consumerId), { format: 1, incarnation: from, items: [item] });
}

let ids = 0;
function preflight(
  request: PreflightRequest = {},
  at = 'acme/shop',
  id = `p${(ids += 1)}`,
): Promise<Outcome<PreflightView>> {
  return world.use.preflight(address(at), request, id);
}

async function view(running: Promise<Outcome<PreflightView>>): Promise<PreflightView> {
  const outcome = await running;
  if (!outcome.ok) throw new Error(`${outcome.problem.code}: ${outcome.problem.detail}`);
  return outcome.value;
}

describe('a preflight', () => {
  it('asks for what would be read, and answers when everybody has voted', async () => {
    await live('c1', { labels: { zone: 'eu-1' } });
    await live('c2');
    const { version } = await world.published('acme/shop');
    const running = preflight();
    await world.settle();
    const document = { currency: 'EUR', max: 2 };
    expect(asked).toEqual([
      {
        ...{ format: 1, installation: 'main/test', id: `p${ids}`, address: 'acme/shop' },
        ...{ fencingToken: String(world.token), version: version + 1, deadlineMs: 2_000 },
        ...{ hash: sha256(canonicalize(document)), size: utf8Length(canonicalize(document)) },
        ...{ inline: document, only: ['c1-1'] },
      },
    ]);
    vote('c1');
    await world.pass(50);
    expect(asked[1]).toMatchObject({ only: ['c2-1'] });
    vote('c2');
    expect(await view(running)).toEqual({
      ...{ id: `p${ids}`, address: 'acme/shop', version: 2, valid: true },
      addresses: [{ address: 'acme/shop', changed: true, consumers: 2 }],
      consumers: { asked: 2, accepted: 2, rejected: 0, cannotSay: 0, silent: 0 },
      byBuild: [
        { workload: 'shop', build: 'b1', accepted: 1, rejected: 0, cannotSay: 0, silent: 0 },
        {
          ...{ workload: 'shop', build: 'b1', zone: 'eu-1' },
          ...{ accepted: 1, rejected: 0, cannotSay: 0, silent: 0 },
        },
      ],
      ...{ rejections: [], reasons: [], unsure: [] },
    });
  });

  it('changes nothing', async () => {
    await live('c1');
    const [commits, snapshots] = [world.committed.length, [...world.publisher.snapshots]];
    const running = preflight();
    await world.settle();
    vote('c1', { verdict: 'reject', reason: 'no' });
    await running;
    await world.settle();
    expect(world.committed).toHaveLength(commits);
    expect([...world.publisher.snapshots]).toEqual(snapshots);
    expect(await world.read('acme/shop')).toEqual({ currency: 'EUR', max: 1 });
  });

  it('tells who rejects it and where, who cannot say, and who is silent', async () => {
    for (const one of ['c1', 'c2', 'c3', 'c4']) await live(one);
    await live('c5', { build: 'b2' });
    const running = preflight();
    await world.settle();
    vote('c1');
    vote('c2', { verdict: 'reject', pointer: '/max', reason: 'too many' });
    vote('c3', { verdict: 'cannot-say', reason: 'validate did not end within 2000 ms' });
    vote('c5', { verdict: 'reject', reason: 'too many' });
    await world.pass(3_050);
    const result = await view(running);
    const at = { address: 'acme/shop', workload: 'shop' };
    expect(result).toMatchObject({
      valid: false,
      consumers: { asked: 5, accepted: 1, rejected: 2, cannotSay: 1, silent: 1 },
      byBuild: [
        { build: 'b1', accepted: 1, rejected: 1, cannotSay: 1, silent: 1 },
        { build: 'b2', accepted: 0, rejected: 1, cannotSay: 0, silent: 0 },
      ],
      reasons: [{ reason: 'too many', count: 2 }],
    });
    expect(result.rejections).toEqual([
      {
        ...{ ...at, consumerId: 'c2', incarnation: 'c2-1', build: 'b1' },
        ...{ pointer: '/max', reason: 'too many' },
      },
      { ...at, consumerId: 'c5', incarnation: 'c5-1', build: 'b2', reason: 'too many' },
    ]);
    expect(result.unsure).toMatchObject([
      { consumerId: 'c3', answer: 'cannot-say', reason: 'validate did not end within 2000 ms' },
      { consumerId: 'c4', answer: 'silent' },
    ]);
  });

  it('of what nobody reads is over at once, and no yes', async () => {
    expect(await view(preflight())).toMatchObject({ valid: false, consumers: { asked: 0 } });
    expect(asked).toEqual([]);
  });

  it('of what is read already is over at once, and a yes that nobody need say', async () => {
    await live('c1');
    const same = await view(preflight({ targetVersion: 1 }));
    expect(same).toMatchObject({ valid: true, consumers: { asked: 0 } });
    expect(same.addresses).toMatchObject([{ changed: false }]);
    expect(asked).toEqual([]);
  });

  it('reaches what lies below where it changes something, and counts a process once, by its worst answer', async () => {
    await world.over('acme', { currency: 'SEK' });
    await live('c1', { at: ['acme/shop', 'acme/shop:other', 'acme/shop/eu', 'acme/till'] });
    await live('c2', { at: ['acme/shop/eu'] });
    await live('c3', { at: ['acme/till'] });
    await world.put('acme/shop/eu', { max: 7 });
    await world.promote('acme/shop/eu');
    await world.put('acme/till', { currency: 'EUR' });
    await world.promote('acme/till');
    const running = preflight({}, 'acme');
    await world.settle();
    expect(asked.map((one) => [one.address, one.inline])).toEqual([
      ['acme/shop', { currency: 'SEK', max: 1 }],
      ['acme/shop/eu', { currency: 'SEK', max: 7 }],
    ]);
    const [shop, below] = asked;
    vote('c1', { address: 'acme/shop', hash: shop!.hash });
    vote('c1', { address: 'acme/shop/eu', hash: below!.hash, verdict: 'reject', reason: 'no' });
    await world.pass(50);
    vote('c2', { address: 'acme/shop/eu', hash: below!.hash });
    expect(await view(running)).toMatchObject({
      addresses: [
        { address: 'acme', changed: true, consumers: 0 },
        { address: 'acme/shop', changed: true, consumers: 1 },
        { address: 'acme/shop/eu', changed: true, consumers: 2 },
        { address: 'acme/till', changed: false, consumers: 0 },
      ],
      consumers: { asked: 2, accepted: 1, rejected: 1 },
      rejections: [{ address: 'acme/shop/eu', consumerId: 'c1' }],
    });
  });

  it('stores what does not fit a message, for those who are there', async () => {
    const large = { text: 'x'.repeat(10_000) };
    await world.over('acme/shop', large);
    expect(await view(preflight())).toMatchObject({ consumers: { asked: 0 } });
    const stored = world.publisher.contents.size;
    await live('c1');
    const running = preflight();
    await world.settle();
    const text = canonicalize({ currency: 'EUR', ...large });
    expect(asked[0]).not.toHaveProperty('inline');
    expect(world.publisher.contents.size).toBe(stored + 1);
    expect(world.publisher.contents.get(`acme/${asked[0]!.hash}`)).toBe(text);
    vote('c1');
    expect((await view(running)).valid).toBe(true);
  });

  it('asks one of each build first, and nobody else of one that does not answer', async () => {
    for (const build of ['b1', 'b2']) {
      for (const at of [1, 2, 3]) await live(`${build}-${at}`, { build });
    }
    const running = preflight();
    await world.settle();
    expect(asked.map(({ only }) => only)).toEqual([['b1-1-1', 'b2-1-1']]);
    vote('b2-1');
    await world.pass(50);
    expect(asked.map(({ only }) => only).slice(1)).toEqual([['b2-2-1', 'b2-3-1']]);
    vote('b2-2');
    vote('b2-3');
    await world.pass(3_000);
    expect(asked.map(({ only }) => only).slice(2)).toEqual([['b1-1-1']]);
    expect(await view(running)).toMatchObject({
      ...{ valid: false, consumers: { asked: 6, accepted: 3, silent: 3 } },
    });
  });

  it('while NATS is down hears nobody', async () => {
    await world.over('acme/shop', { text: 'x'.repeat(10_000) });
    await live('c1');
    world.publisher.up = false;
    const running = preflight();
    await world.settle();
    await world.pass(3_000);
    expect(await view(running)).toMatchObject({ valid: false, consumers: { silent: 1 } });
  });

  it('is of another version, and for one workload, if it is told so', async () => {
    await world.over('acme/shop', { max: 3 });
    await live('c1');
    await world.use.hello(ref('other', 'till'), {
      ...{ format: 1, incarnation: 'o1', labels: {} },
      runs: [{ address: 'acme/shop', generation: 1, version: 1 }],
    });
    const running = preflight({ targetVersion: 2, workload: 'shop' });
    await world.settle();
    expect(asked).toMatchObject([{ inline: { max: 2 }, workload: 'shop', only: ['c1-1'] }]);
    vote('c1');
    expect(await view(running)).toMatchObject({ version: 2, consumers: { asked: 1 }, valid: true });
  });
});

describe('a vote counts', () => {
  const untilLate = async (running: Promise<Outcome<PreflightView>>) => {
    await world.pass(3_000);
    return (await view(running)).consumers;
  };

  it('about the document that was asked about, of the process that was asked, once', async () => {
    await live('c1');
    await live('c2');
    const running = preflight();
    await world.settle();
    vote('c1', { hash: sha256('other') });
    vote('c1', { id: 'p0' });
    vote('c1', { address: 'acme' });
    vote('c1', {}, 'c1-0');
    vote('c3');
    vote('c2');
    vote('c2', { verdict: 'reject', reason: 'on second thoughts' });
    expect(await untilLate(running)).toEqual({
      ...{ asked: 2, accepted: 1, rejected: 0, cannotSay: 0, silent: 1 },
    });
  });

  it('when it is given to the second question, which only those get who are missing', async () => {
    await live('c1');
    await live('c2');
    const running = preflight();
    await world.settle();
    vote('c1');
    await live('c3');
    await world.pass(1_550);
    expect(asked).toHaveLength(3);
    expect(asked[1]).toMatchObject({ only: ['c2-1', 'c3-1'] });
    expect(asked[2]).toEqual({ ...asked[0], deadlineMs: 1_000, only: ['c2-1', 'c3-1'] });
    vote('c2');
    vote('c3');
    expect(await view(running)).toMatchObject({ valid: true, consumers: { asked: 3 } });
  });

  it('and is not waited for from who said goodbye', async () => {
    await live('c1');
    await live('c2');
    const running = preflight();
    await world.settle();
    vote('c1');
    await live('c2', { leaving: true });
    expect(await untilLate(running)).toMatchObject({ asked: 1, accepted: 1, silent: 0 });
    expect((await view(running)).valid).toBe(true);
  });

  it('for nothing when another layer was released meanwhile', async () => {
    await live('c1');
    const running = preflight();
    await world.settle();
    await world.over('acme', { currency: 'SEK' });
    await world.promote('acme');
    vote('c1');
    expect(await view(running)).toMatchObject({
      ...{ void: true, valid: false, consumers: { asked: 1, accepted: 1 } },
    });
  });
});

describe('a preflight is refused', () => {
  it.each([
    ['of what a schema refuses', 'schema-violation', {}, 'acme'],
    ['of a version that is not there', 'version-unknown', { targetVersion: 7 }, 'acme/shop'],
    ['of a version below the stable one', 'use-rollback', { targetVersion: 1 }, 'acme/shop'],
    ['of what nobody wrote', 'not-found', {}, 'acme/nowhere'],
    ['of a blocked version', 'version-blocked', { targetVersion: 3 }, 'acme/shop'],
  ])('%s: %s', async (_, problem, request, at) => {
    await live('c1');
    await world.promote('acme/shop');
    await world.over('acme/shop', { max: 3 });
    await world.release('acme/shop', { action: 'block', targetVersion: 3 });
    const schema = { properties: { currency: { const: 'EUR' } } };
    await world.putSchema('acme/shop/eu', schema);
    await world.over('acme/shop/eu', { a: 1 });
    await world.promote('acme/shop/eu');
    await world.over('acme', { currency: 'SEK' });
    expect(code(await preflight(request, at))).toBe(problem);
    expect(asked).toEqual([]);
  });

  it('while four are under way in its shard, and taken again afterwards', async () => {
    await live('c1');
    const running = Array.from({ length: 4 }, () => preflight({ timeoutMs: 200 }));
    await world.settle();
    expect(code(await preflight())).toBe('too-many-requests');
    await world.pass(200);
    for (const one of running) expect(await view(one)).toMatchObject({ valid: false });
    const after = preflight({ timeoutMs: 200 });
    await world.settle();
    await world.pass(200);
    expect(code(await after)).toBe('ok');
  });
});

describe('one that is repeated under its id', () => {
  it('is joined while it is under way, and for a while after it', async () => {
    await live('c1');
    const first = preflight({}, 'acme/shop', 'same');
    await world.settle();
    const second = preflight({}, 'acme/shop', 'same');
    await world.settle();
    expect(asked).toHaveLength(1);
    vote('c1');
    const answer = await view(first);
    expect(await view(second)).toEqual(answer);
    expect(await view(preflight({}, 'acme/shop', 'same'))).toEqual(answer);
    expect(asked).toHaveLength(1);
    await world.pass(15_000);
    const anew = preflight({ timeoutMs: 200 }, 'acme/shop', 'same');
    await world.pass(200);
    expect((await view(anew)).consumers.silent).toBe(0);
  });

  it('goes to the next owner when its own lost the shard', async () => {
    await live('c1');
    const running = preflight();
    await world.settle();
    await world.claimAll();
    await world.pass(3_000);
    expect(code(await running)).toBe('no-owner');
  });
});

it('stops with the engine, with what it has', async () => {
  await live('c1');
  const running = preflight({ timeoutMs: 30_000 });
  await world.settle();
  await world.engine.stop();
  expect(await view(running)).toMatchObject({ valid: false, consumers: { asked: 1, silent: 1 } });
});
