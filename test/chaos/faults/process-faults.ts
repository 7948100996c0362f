import type { Node } from '../cluster/cluster.js';
import { elections, pick, type Fault, type FaultContext } from './fault.js';

/** Time for a member to be missed. */
const LEADER_DEADLINE_MS = 15_000;

type Whom = (context: FaultContext) => Promise<Node>;

export const leader: Whom = ({ cluster }) => cluster.leader(LEADER_DEADLINE_MS);
export const follower: Whom = async (context) => {
  const leading = await leader(context);
  return pick(
    context.rng,
    context.cluster.running.filter((node) => node !== leading),
  );
};
export const anybody: Whom = async ({ cluster, rng }) => pick(rng, cluster.running);

/** Ends one at once, and starts it again after a while. */
export function kill(name: string, whom: Whom): Fault {
  return {
    name,
    strike: async (context) => {
      const node = await whom(context);
      await node.process.kill9();
      context.tally.kills += 1;
      await context.wait(elections(context, 0, 3));
      await node.process.start();
    },
  };
}

/** Ends all at once, within a moment of each other. */
export const killAll: Fault = {
  name: 'kill all',
  strike: async ({ cluster, tally }) => {
    await Promise.all(cluster.nodes.map(({ process }) => process.kill9()));
    tally.kills += cluster.nodes.length;
    await Promise.all(cluster.nodes.map(({ process }) => process.start()));
    await cluster.ready();
  },
};

/** Ends one again and again, also while it starts. */
export const killLoop: Fault = {
  name: 'kill in a loop',
  strike: async (context) => {
    const node = await anybody(context);
    for (let left = 3; left > 0; left -= 1) {
      await node.process.kill9();
      context.tally.kills += 1;
      await node.process.start();
      await context.wait(elections(context, 0, 1));
    }
  },
};

/** Holds one still for 0.5 to 3 election timeouts. */
export function pause(name: string, whom: Whom): Fault {
  return {
    name,
    strike: async (context) => {
      const node = await whom(context);
      node.process.pause();
      context.tally.pauses += 1;
      await context.wait(elections(context, 0.5, 3));
      node.process.resume();
    },
  };
}

/** One that gets a tenth of its time, in slices, as under a quota. */
export const starve: Fault = {
  name: 'a tenth of the time',
  strike: async (context) => {
    const { process } = await anybody(context);
    const slices = Math.ceil(elections(context, 2, 4) / 100);
    for (let left = slices; left > 0; left -= 1) {
      process.pause();
      await context.wait(90);
      process.resume();
      await context.wait(10);
    }
    context.tally.pauses += 1;
  },
};

/** Asks the leader to hand over to another. */
export const transfer: Fault = {
  name: 'transfer',
  strike: async (context) => {
    const [from, to] = [await leader(context), await follower(context)];
    await context.cluster.asks(from, (client) => client.moveLeader(to.memberId));
    context.tally.transfers += 1;
    await context.wait(elections(context, 0.2, 1));
  },
};
