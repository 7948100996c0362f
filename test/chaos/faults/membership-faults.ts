import { setTimeout as delay } from 'node:timers/promises';
import type { Reply } from '../client/connection.js';
import type { EtcdClient } from '../client/etcd-client.js';
import type { Cluster, Node } from '../cluster/cluster.js';
import { elections, pick, type Fault, type FaultContext } from './fault.js';
import { anybody, leader } from './process-faults.js';

/** Steps of a change of the members between which something else may happen. */
export type MemberStep = 'announced' | 'started' | 'promoted' | 'removed';
export type BetweenSteps = (step: MemberStep) => Promise<void>;

const STEP_DEADLINE_MS = 60_000;
const RETRY_MS = 100;
/** A member that is there already, or not any more: an earlier try was done. */
const DONE_BEFORE = /already|exists|not found|can only promote a learner member$/i;

/** Asks the nodes in turn until one has done it, or says that it was done before. */
async function insist<T>(
  cluster: Cluster,
  ask: (client: EtcdClient) => Promise<Reply<T>>,
): Promise<T | null> {
  const until = performance.now() + STEP_DEADLINE_MS;
  let last = '';
  for (let at = 0; performance.now() < until; at += 1) {
    const node = cluster.running[at % cluster.running.length];
    if (node === undefined) break;
    const reply = await cluster.asks(node, ask);
    if (reply.ok) return reply.message;
    last = reply.details;
    if (DONE_BEFORE.test(last)) return null;
    await delay(RETRY_MS);
  }
  throw new Error(`the members could not be changed: ${last}\n${cluster.logs()}`);
}

/** A new member: as a learner first, a voter once it has caught up. */
export async function addMember(cluster: Cluster, between?: BetweenSteps): Promise<Node> {
  const plan = await cluster.planJoining();
  const url = cluster.peerUrl(plan);
  await insist(cluster, (client) => client.addMember(url, plan.name));
  const list = await insist(cluster, (client) => client.members());
  const announced = list?.members.find(({ peerURLs }) => peerURLs.includes(url));
  if (announced === undefined) throw new Error(`${url} is no member after it was added`);
  const memberIds = list?.members.map(({ ID }) => ID) ?? [];
  const node = cluster.makeJoining(plan, announced.ID, memberIds);
  await between?.('announced');
  await node.process.start();
  await between?.('started');
  await insist(cluster, (client) => client.promoteMember(node.memberId));
  await between?.('promoted');
  return node;
}

/** Takes one out for good, whether it runs or not. */
export async function removeMember(
  cluster: Cluster,
  node: Node,
  between?: BetweenSteps,
): Promise<void> {
  await insist(cluster, (client) => client.removeMember(node.memberId));
  await between?.('removed');
  await cluster.forget(node);
}

/** What a change of members is done to, at which step what happens is chance. */
function harmful(context: FaultContext): BetweenSteps {
  return async () => {
    if (context.rng.below(2) === 0) return;
    const { process } = await pick(context.rng, [leader, anybody])(context);
    await process.kill9();
    context.tally.kills += 1;
    await context.wait(elections(context, 0, 1));
    await process.start();
  };
}

export const MEMBERSHIP_FAULTS: readonly Fault[] = [
  {
    name: 'replace a dead member',
    strike: async (context) => {
      const { cluster } = context;
      const dead = await anybody(context);
      await dead.process.kill9();
      context.tally.kills += 1;
      await removeMember(cluster, dead, harmful(context));
      await addMember(cluster, harmful(context));
    },
  },
  {
    name: 'add one and remove the leader',
    strike: async (context) => {
      const { cluster } = context;
      await addMember(cluster, harmful(context));
      await removeMember(cluster, await leader(context), harmful(context));
    },
  },
];
