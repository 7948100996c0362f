import type { World } from './world.js';

/** Whom a node takes for the quorum's leader; null: nobody. Rejects when it does not answer. */
export async function leaderFor({ cluster }: World, id: string): Promise<string | null> {
  return (await cluster.view(id)).quorum.leader;
}

/** The quorum's leader, once most nodes agree that it is; rejects while they do not. */
export async function leaderOf(world: World): Promise<string> {
  const views = await Promise.allSettled(world.ids.map((id) => leaderFor(world, id)));
  const named = views.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  const leader = world.ids.find(
    (id) => named.filter((one) => one === id).length > world.ids.length / 2,
  );
  if (leader === undefined) throw new Error(`no leader: the nodes name ${JSON.stringify(named)}`);
  return leader;
}
