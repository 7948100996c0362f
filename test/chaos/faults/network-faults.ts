import type { Node } from '../cluster/cluster.js';
import { BROKEN, OPEN, STALLED, type LinkState } from '../network/links.js';
import { elections, pick, type Fault, type FaultContext } from './fault.js';
import { anybody, follower, leader } from './process-faults.js';

/** Sets the links of a strike; what it does not set stays open. */
type Shape = (context: FaultContext, set: SetLinks) => Promise<void>;
interface SetLinks {
  /** From one to another. */
  readonly oneWay: (from: Node, to: Node, state: LinkState) => void;
  readonly both: (a: Node, b: Node, state: LinkState) => void;
}

/** Sets links for 2 to 5 election timeouts, then opens all. */
function shaped(name: string, shape: Shape): Fault {
  return {
    name,
    strike: async (context) => {
      const { links } = context.cluster;
      const oneWay = (from: Node, to: Node, state: LinkState) =>
        links.set(from.plan.name, to.plan.name, state);
      await shape(context, {
        oneWay,
        both: (a, b, state) => {
          oneWay(a, b, state);
          oneWay(b, a, state);
        },
      });
      context.tally.cuts += 1;
      await context.wait(elections(context, 2, 5));
      links.heal();
    },
  };
}

function others({ cluster }: FaultContext, node: Node): Node[] {
  return cluster.nodes.filter((other) => other !== node);
}

/** Nothing passes, or connections break. */
const cut = ({ rng }: FaultContext) => pick(rng, [STALLED, BROKEN]);

const isolate = (name: string, whom: typeof leader) =>
  shaped(name, async (context, { both }) => {
    const node = await whom(context);
    const state = cut(context);
    for (const other of others(context, node)) both(node, other, state);
  });

const deaf = (name: string, whom: typeof leader) =>
  shaped(name, async (context, { oneWay }) => {
    const node = await whom(context);
    for (const other of others(context, node)) oneWay(other, node, STALLED);
  });

const mute = (name: string, whom: typeof leader) =>
  shaped(name, async (context, { oneWay }) => {
    const node = await whom(context);
    for (const other of others(context, node)) oneWay(node, other, STALLED);
  });

/** Two halves, of which one node belongs to both. */
const bridge = shaped('bridge', async (context, { both }) => {
  const middle = await anybody(context);
  const rest = others(context, middle);
  const half = Math.ceil(rest.length / 2);
  for (const a of rest.slice(0, half)) for (const b of rest.slice(half)) both(a, b, cut(context));
});

/** Each reaches its two neighbours only; of three nodes, all do. */
const ring = shaped('ring', async (context, { both }) => {
  const { nodes } = context.cluster;
  nodes.forEach((a, at) => {
    nodes.slice(at + 2).forEach((b, distance) => {
      const closes = at === 0 && distance === nodes.length - 3;
      if (!closes) both(a, b, STALLED);
    });
  });
});

/** The leader and one follower do not reach each other; everybody else reaches both. */
const partial = shaped('partial mesh', async (context, { both }) => {
  both(await leader(context), await follower(context), cut(context));
});

const flapping: Fault = {
  name: 'flapping',
  strike: async (context) => {
    const node = await anybody(context);
    const { links } = context.cluster;
    for (let left = 6; left > 0; left -= 1) {
      const state = left % 2 === 0 ? cut(context) : OPEN;
      for (const other of others(context, node)) {
        links.set(node.plan.name, other.plan.name, state);
        links.set(other.plan.name, node.plan.name, state);
      }
      await context.wait(elections(context, 0.2, 1.2));
    }
    context.tally.cuts += 3;
    links.heal();
  },
};

/** As lossy links are to TCP: pieces wait for their repetition, connections break at times. */
const lossy: Fault = {
  name: 'half of it lost',
  strike: async (context) => {
    const { cluster, rng } = context;
    for (let left = 20; left > 0; left -= 1) {
      const [a, b] = [pick(rng, cluster.nodes), pick(rng, cluster.nodes)];
      if (a !== b) {
        const state = pick(rng, [STALLED, STALLED, OPEN, OPEN, BROKEN]);
        cluster.links.set(a.plan.name, b.plan.name, state);
      }
      await context.wait(elections(context, 0.05, 0.3));
    }
    context.tally.cuts += 1;
    cluster.links.heal();
  },
};

const everywhere = (name: string, state: LinkState) =>
  shaped(name, async (context, { oneWay }) => {
    for (const from of context.cluster.nodes) {
      for (const to of others(context, from)) oneWay(from, to, state);
    }
  });

/** New connections are made and stay silent; those that are there go on for one more message. */
const halfOpen = (name: string, whom: typeof leader) =>
  shaped(name, async (context, { both }) => {
    const node = await whom(context);
    for (const other of others(context, node)) both(node, other, BROKEN);
    for (const other of others(context, node)) both(node, other, STALLED);
  });

export const NETWORK_FAULTS: readonly Fault[] = [
  isolate('leader cut off', leader),
  isolate('follower cut off', follower),
  deaf('leader hears nothing', leader),
  deaf('follower hears nothing', follower),
  mute('leader is not heard', leader),
  mute('follower is not heard', follower),
  halfOpen('half-open to the leader', leader),
  halfOpen('half-open to a follower', follower),
  bridge,
  ring,
  partial,
  flapping,
  lossy,
  everywhere('slow links', { kind: 'slow', delayMs: 40, jitterMs: 80 }),
  everywhere('narrow links', { kind: 'narrow', bytesPerSecond: 64 * 1024 }),
];
