import { address } from '@pawl/contracts';
import type { Prepare, Strategy } from '@pawl/contracts';
import { assert } from '@pawl/kernel';
import { beforeEach, describe, expect, it } from 'vitest';
import { claimedWorld } from '../testing/engine-world.fixture.js';
import type { EngineWorld } from '../testing/engine-world.js';
import { PreflightWorld } from '../testing/preflight-world.fixture.js';

let world: EngineWorld;
let fleet: PreflightWorld;
let asked: Prepare[];

beforeEach(async () => {
  world = await claimedWorld();
  fleet = new PreflightWorld(world);
  asked = fleet.asked;
  await world.put('acme', { currency: 'EUR' });
  await world.promote('acme');
  await world.put('acme/shop', { max: 1 });
  await world.promote('acme/shop');
  await world.over('acme/shop', { max: 2 });
  await world.settle();
});

describe('while another release is in its first stage', () => {
  const STAGES: Strategy = {
    stages: [{ count: 1, bakeMs: 3_600_000 }, { percent: 100 }],
    gates: [],
  };
  let candidate: string;
  let other: string;

  beforeEach(async () => {
    await fleet.live('c1');
    await fleet.live('c2');
    await world.over('acme', { currency: 'SEK' });
    await world.begin('acme', STAGES);
    const query = { explain: false, consumerId: 'c1', workload: 'shop' };
    const read = await world.use.getEffective(address('acme/shop'), query);
    const isFirst = read.ok && read.value.cohort !== undefined;
    [candidate, other] = isFirst ? ['c1', 'c2'] : ['c2', 'c1'];
  });

  function question(currency: string): Prepare {
    const found = asked.find(({ inline }) => inline?.['currency'] === currency);
    assert(found !== undefined, 'somebody was asked about this currency');
    return found;
  }

  it('each instance is asked about what it would read', async () => {
    const running = fleet.preflight();
    await world.settle();
    expect(asked.map(({ inline, only }) => [inline, only])).toEqual([
      [{ currency: 'EUR', max: 2 }, [`${other}-1`]],
      [{ currency: 'SEK', max: 2 }, [`${candidate}-1`]],
    ]);
    fleet.vote(other, { hash: question('SEK').hash });
    fleet.vote(other, { hash: question('EUR').hash });
    fleet.vote(candidate, { hash: question('SEK').hash, verdict: 'reject', reason: 'no SEK' });
    expect(await fleet.view(running)).toMatchObject({
      consumers: { asked: 2, accepted: 1, rejected: 1, silent: 0 },
      rejections: [{ consumerId: candidate, reason: 'no SEK' }],
    });
  });

  it('nobody is asked for whom nothing changes', async () => {
    await world.over('acme/shop', { currency: 'SEK', max: 1 });
    const running = fleet.preflight();
    await world.settle();
    expect(asked.map(({ inline, only }) => [inline, only])).toEqual([
      [{ currency: 'SEK', max: 1 }, [`${other}-1`]],
    ]);
    fleet.vote(other);
    expect(await fleet.view(running)).toMatchObject({ valid: true, consumers: { asked: 1 } });
  });

  it('it is void once that release is a stage further', async () => {
    const running = fleet.preflight();
    await world.settle();
    fleet.vote(other, { hash: question('EUR').hash });
    await world.release('acme', { action: 'advance' });
    fleet.vote(candidate, { hash: question('SEK').hash });
    await world.pass(3_000);
    expect(await fleet.view(running)).toMatchObject({ valid: false, void: true });
  });

  it('who would read something else by now is asked about that', async () => {
    const running = fleet.preflight();
    await world.settle();
    fleet.vote(candidate, { hash: question('SEK').hash });
    await fleet.live(candidate, { leaving: true });
    await fleet.live('c9');
    // Its slot is another's by now.
    await fleet.live(candidate);
    fleet.vote(other, { hash: question('EUR').hash });
    await world.settle();
    expect(asked.slice(2).map(({ inline, only }) => [inline?.['currency'], only])).toEqual([
      ['EUR', [`${candidate}-1`]],
      ['SEK', ['c9-1']],
    ]);
    fleet.vote(candidate, { hash: question('EUR').hash });
    fleet.vote('c9', { hash: question('SEK').hash });
    expect(await fleet.view(running)).toMatchObject({ valid: true, consumers: { asked: 3 } });
  });

  it('of the same address it is of what would take its place', async () => {
    await world.over('acme', { currency: 'NOK' });
    const running = fleet.preflight('acme');
    await world.settle();
    expect(asked.map(({ inline }) => inline)).toEqual([{ currency: 'NOK', max: 1 }]);
    expect(asked[0]?.only).toHaveLength(1);
    fleet.vote(candidate);
    fleet.vote(other);
    await world.pass(50);
    fleet.vote(candidate);
    fleet.vote(other);
    expect(await fleet.view(running)).toMatchObject({ valid: true, consumers: { asked: 2 } });
  });
});
