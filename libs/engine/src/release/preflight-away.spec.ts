import type { HistoryItem, Strategy } from '@pawl/contracts';
import { beforeEach, describe, expect, it } from 'vitest';
import type { EngineWorld } from '../testing/engine-world.js';
import type { FakeConsumer } from '../testing/fake-fleet.js';
import { HOUR_MS, preparesOf, stagedWorld } from '../testing/staged-world.fixture.js';
import type { StagedWorld } from '../testing/staged-world.fixture.js';

const AT = 'acme/shop';
const AT_ONCE: Strategy = {
  preset: 'all-at-once',
  finalBakeMs: HOUR_MS,
  gates: [],
  preflight: true,
};
const no: FakeConsumer['vote'] = () => ({ verdict: 'reject', pointer: '/max', reason: 'too many' });

let staged: StagedWorld;
let world: EngineWorld;
let fleet: FakeConsumer[];

beforeEach(async () => {
  staged = await stagedWorld();
  ({ world } = staged);
  await staged.promoted('acme', { currency: 'EUR' });
  await staged.promoted(AT, { max: 1 });
  fleet = await staged.fleet.add(AT, 'shop', 4);
  await staged.fleet.pass(20_000);
});

/** NATS is away: nobody is heard, and nobody can be asked. */
async function away(ms: number): Promise<void> {
  world.publisher.up = false;
  for (const one of fleet) one.up = false;
  await staged.fleet.pass(ms);
  world.publisher.up = true;
}

async function last(): Promise<Partial<HistoryItem>> {
  const [item] = await world.history(AT);
  return item ?? {};
}

describe('a preflight after NATS was away', () => {
  it('does not take for nobody those who have not had the time to be heard again', async () => {
    for (const one of fleet) one.vote = no;
    world.publisher.up = false;
    await staged.begun(AT, { max: 2 }, AT_ONCE);
    await away(60_000);
    await staged.fleet.pass(3_000);
    for (const one of fleet) one.up = true;
    await staged.fleet.pass(30_000);
    const said = await last();
    expect(said).toMatchObject({ action: 'abort', author: 'pawl' });
    expect(said.reason).toContain('4 of 4 reject it');
  });

  it('does not go on by the votes of those alone who were heard first', async () => {
    for (const one of fleet.slice(1)) one.vote = no;
    world.publisher.up = false;
    await staged.begun(AT, { max: 2 }, AT_ONCE);
    await away(60_000);
    fleet[0]!.up = true;
    await fleet[0]!.hello();
    await staged.fleet.pass(3_000);
    for (const one of fleet) one.up = true;
    await staged.fleet.pass(30_000);
    expect(await last()).toMatchObject({ action: 'abort', author: 'pawl' });
  });

  it('lets no stage go on before those are heard again who came meanwhile', async () => {
    const stages = [{ count: 1 }, { percent: 100, bakeMs: HOUR_MS }];
    const gates = [{ kind: 'approval', stages: [0] } as const];
    await staged.begun(AT, { max: 2 }, { stages, gates, preflight: true });
    await staged.fleet.pass(10_000);
    const candidate = staged.fleet.candidates()[0]!;
    const [other] = fleet.filter((one) => one !== candidate);
    other!.vote = no;
    await other!.restart('b2');
    await staged.fleet.pass(5_000);
    await away(60_000);
    await staged.act(AT, 'approve');
    candidate.up = true;
    await candidate.hello();
    await staged.fleet.pass(8_000);
    for (const one of fleet) one.up = true;
    await staged.fleet.pass(30_000);
    expect(await last()).toMatchObject({ action: 'abort', author: 'pawl' });
  });

  it('takes an owner to have listened though nothing was known in its shard', async () => {
    staged = await stagedWorld();
    ({ world } = staged);
    await staged.fleet.pass(60_000);
    await staged.promoted(AT, { max: 1 });
    await staged.fleet.add(AT, 'shop', 2);
    await staged.begun(AT, { max: 2 }, AT_ONCE);
    await staged.fleet.pass(5_000);
    expect(await last()).toMatchObject({ action: 'advance', author: 'pawl' });
  });

  it('goes on once everybody has had that time, also where nobody is there any more', async () => {
    await staged.begun(AT, { max: 2 }, AT_ONCE);
    await away(60_000);
    await staged.fleet.pass(14_000);
    expect(staged.fleet.candidates()).toEqual([]);
    expect((await world.rollout(AT)).releases?.[0]).toMatchObject({
      ...{ preflight: { state: 'waiting' }, reason: 'it is not known yet who is there' },
    });
    await staged.fleet.pass(5_000);
    expect(await last()).toMatchObject({ action: 'advance', author: 'pawl' });
  });
});

describe('a preflight whose commit waits for another', () => {
  it('does not go on by votes that somebody has come after', async () => {
    await staged.promoted('acme/other', { max: 1 });
    const asked = preparesOf(world);
    await staged.begun(AT, { max: 2 }, AT_ONCE);
    await world.over('acme/other', { max: 2 });
    let commit = (): void => undefined;
    const held = new Promise<void>((resolve) => (commit = resolve));
    world.truth.beforeCommit = () => held;
    const promoted = world.promote('acme/other');
    await staged.fleet.pass(3_000);
    expect(asked).toHaveLength(2);
    const late = await staged.fleet.add(AT, 'till', 2);
    for (const one of late) one.vote = no;
    world.truth.beforeCommit = () => Promise.resolve();
    commit();
    await promoted;
    await staged.fleet.pass(7_000);
    const said = await last();
    expect(said).toMatchObject({ action: 'abort', author: 'pawl' });
    expect(said.reason).toContain('preflight: 2 of 6 reject it: till/till-0');
    expect(staged.fleet.candidates()).toEqual([]);
  });
});
