import { afterEach, expect, it, vi } from 'vitest';
import { Cluster } from './cluster.fixture.js';

vi.setConfig({ testTimeout: 60_000 });

let cluster: Cluster;
afterEach(() => cluster.stopAll());

it('a peer that is known by hearsay may lead, but its answers are not counted', async () => {
  cluster = await Cluster.start(['a', 'b']);
  const leader = await cluster.leader();
  const [other] = cluster.others(leader.id);
  await cluster.write('before');
  leader.node.setPeers([{ ...other!.address, hearsay: true }]);
  await other!.status(({ role }) => role === 'leader');
  await leader.status((status) => status.leader === other!.id);
  await cluster.write('after');
  await leader.until(() => leader.commands.length === 2);
  expect(leader.commands).toEqual(['before', 'after']);
});
