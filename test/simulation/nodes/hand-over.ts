import { parseAddress, shardOf } from '@pawl/contracts';
import type { AddressText } from '@pawl/contracts';
import type { ControlPlaneNode } from './control-plane-node.js';
import type { NodesWorld } from './nodes-world.js';
import { WorldWriter } from './writer.js';

/** How long a commit is waited for. */
const WAIT_MS = 200;
const TOGETHER = 8;

/** A hand-over of a calm world comes while commands of the shard are committed, and others wait. */
export function orderlyHandOver(
  world: NodesWorld,
  { sessions }: ControlPlaneNode,
): (shard: number) => Promise<void> {
  return async (shard) => {
    const own = world.addresses.filter((at) => shardOf(rootOf(at), world.shards) === shard);
    if (world.isOver || own.length === 0) return;
    const writer = new WorldWriter(world, `h${shard}-${world.nowMs().toFixed(0)}-`);
    for (let count = 0; count < TOGETHER; count += 1)
      writer.put(own[count % own.length] as AddressText);
    await new Promise<void>((goOn) => {
      world.later(WAIT_MS, goOn);
      sessions.onStep = (step, what) => {
        if (step !== 'begin' || what !== 'commit') return false;
        sessions.onStep = () => false;
        world.reached('shard given up inside a commit');
        goOn();
        return false;
      };
    });
  };
}

function rootOf(at: AddressText): string {
  const parsed = parseAddress(at);
  if (!parsed.ok) throw new Error(parsed.message);
  return parsed.address.root;
}
