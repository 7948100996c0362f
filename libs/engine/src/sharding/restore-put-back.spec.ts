import { expect, it } from 'vitest';
import { claimedWorld } from '../testing/engine-world.fixture.js';

const ACCEPTANCE = { actor: 'ada', reason: 'the disk was lost' };

it('a restore can be accepted also where a copy of read-only shards is put back behind an earlier acceptance', async () => {
  const world = await claimedWorld();
  const { token, truth } = world;
  const readOnly = async () => {
    const { generation, shards } = await truth.readBehind();
    return { generation, shards: [...shards.keys()] };
  };
  /** Claims every shard, of which the quorum remembers more than PostgreSQL has. */
  const claimBehind = (generation: number) =>
    world.restart(() => ({ generation, token, commits: 99n }));
  const accept = async () => world.engine.restore.accept({ ...ACCEPTANCE, seen: await readOnly() });
  // Nothing was released, so JetStream has nothing to tell.
  await claimBehind(1);
  const copy = truth.backup();
  expect(await accept()).toMatchObject({ value: { accepted: true, generation: 2 } });
  copy();
  await claimBehind(2);
  expect(await readOnly()).toEqual({ generation: 1, shards: [0, 1, 2, 3] });
  expect(await accept()).toMatchObject({ value: { accepted: true, generation: 3 } });
});
