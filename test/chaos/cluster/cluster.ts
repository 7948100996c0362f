import { randomBytes } from 'node:crypto';
import { rename, rm } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { join } from 'node:path';
import { freePort } from '../../../infra/dev/lib/ports.mjs';
import { makeTemporaryFolder, type TemporaryFolder } from '../../support/temporary-folder.js';
import { EtcdClient } from '../client/etcd-client.js';
import { Links } from '../network/links.js';
import { NodeGate } from '../network/node-gate.js';
import type { MemberPlan, QuorumKind, QuorumProcess } from './quorum-process.js';

export interface ClusterOptions {
  readonly kind: QuorumKind;
  readonly nodes: number;
  readonly heartbeatMs?: number;
  readonly electionMs?: number;
  readonly args?: readonly string[];
  /** Before a member is started first: makes its place, and answers a command to run it in. */
  readonly house?: (member: MemberPlan) => Promise<readonly string[]>;
}

export interface Node {
  readonly plan: MemberPlan;
  readonly process: QuorumProcess;
  /** The number that the API gives it, decimal; known once it has served. */
  memberId: string;
}

const HEARTBEAT_MS = 50;
const ELECTION_MS = 500;
const READY_DEADLINE_MS = 60_000;
const ASK_DEADLINE_MS = 1_000;
const POLL_MS = 25;

/** A quorum of processes whose ways to each other lead through gates of ours. */
export class Cluster {
  readonly links = new Links();
  readonly nodes: Node[] = [];
  private readonly gates: NodeGate[] = [];
  private planned = 0;
  private readonly token = randomBytes(6).toString('hex');
  readonly electionMs: number;

  private constructor(
    private readonly options: ClusterOptions,
    private readonly folder: TemporaryFolder,
  ) {
    this.electionMs = options.electionMs ?? ELECTION_MS;
  }

  /** Ready when all members serve; a cluster that does not get there leaves nothing running. */
  static async start(options: ClusterOptions): Promise<Cluster> {
    const cluster = new Cluster(options, await makeTemporaryFolder(`chaos-${options.kind.name}`));
    try {
      await cluster.found();
      return cluster;
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  get kind(): QuorumKind['name'] {
    return this.options.kind.name;
  }

  get endpoints(): string[] {
    return this.nodes.map(({ process }) => process.endpoint);
  }

  get running(): Node[] {
    return this.nodes.filter(({ process }) => process.isRunning());
  }

  node(name: string): Node {
    const node = this.nodes.find(({ plan }) => plan.name === name);
    if (node === undefined) throw new Error(`no node ${name}`);
    return node;
  }

  /** A place for a member that joins: nothing of it runs yet. */
  async planJoining(): Promise<MemberPlan> {
    const plan = await this.plan();
    await this.openGate(plan);
    return plan;
  }

  /** A member that joins those of these numbers, by which it is one already. */
  makeJoining(plan: MemberPlan, memberId: string, memberIds: readonly string[]): Node {
    const others = this.nodes.filter((node) => memberIds.includes(node.memberId));
    const node = this.make(plan, [...others.map((other) => other.plan), plan], { joins: true });
    node.memberId = memberId;
    return node;
  }

  /** What a joining member is announced as. */
  peerUrl({ gatePort }: MemberPlan): string {
    return this.options.kind.peerUrl(gatePort);
  }

  /** Ends a node at once and puts another folder in the place of its data. */
  async replaceData(node: Node, folder: string): Promise<void> {
    await node.process.kill9();
    await rm(node.process.dataFolder, { recursive: true });
    await rename(folder, node.process.dataFolder);
  }

  /** It is not of this cluster any more. */
  async forget(node: Node): Promise<void> {
    await node.process.kill9();
    this.nodes.splice(this.nodes.indexOf(node), 1);
  }

  /** The node that most say leads; waits for one, and throws at the deadline. */
  async leader(deadlineMs = READY_DEADLINE_MS): Promise<Node> {
    const late = AbortSignal.timeout(deadlineMs);
    for (;;) {
      const leader = await this.leaderNow();
      if (leader !== undefined) return leader;
      if (late.aborted) throw new Error(`no leader within ${deadlineMs} ms\n${this.logs()}`);
      await delay(POLL_MS);
    }
  }

  /** Asks one node; the connection is of this question only. */
  async asks<T>(node: Node, ask: (client: EtcdClient) => Promise<T>): Promise<T> {
    const client = new EtcdClient(node.process.endpoint, ASK_DEADLINE_MS);
    try {
      return await ask(client);
    } finally {
      client.close();
    }
  }

  /** Waits until every running node serves linearizable reads. */
  async ready(deadlineMs = READY_DEADLINE_MS): Promise<void> {
    await Promise.all(this.running.map((node) => this.serves(node, deadlineMs)));
  }

  /** The newest revision by a linearizable read of any node; throws when none answers. */
  async revision(deadlineMs = READY_DEADLINE_MS): Promise<number> {
    const late = AbortSignal.timeout(deadlineMs);
    for (let at = 0; !late.aborted; at += 1) {
      const node = this.running[at % this.running.length];
      if (node === undefined) break;
      const outcome = await this.asks(node, (client) =>
        client.perform({ kind: 'range', key: 'current' }),
      );
      if (outcome.kind === 'ok') return outcome.revision;
      await delay(POLL_MS);
    }
    throw new Error(`no node answers\n${this.logs()}`);
  }

  /** Undoes every fault: all links open, all nodes running. */
  async heal(): Promise<void> {
    this.links.heal();
    for (const { process } of this.nodes) {
      process.resume();
      if (!process.isRunning()) await process.start();
    }
  }

  logs(): string {
    return this.nodes
      .map(({ process }) => `--- ${process.name}\n${process.log().slice(-4000)}`)
      .join('\n');
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map(({ process }) => process.kill9()));
    await Promise.all(this.gates.map((gate) => gate.close()));
    await this.folder.remove();
  }

  private async found(): Promise<void> {
    const plans: MemberPlan[] = [];
    while (plans.length < this.options.nodes) plans.push(await this.plan(plans));
    for (const plan of plans) {
      await this.openGate(plan);
      this.make(plan, plans, { within: await this.options.house?.(plan) });
    }
    await Promise.all(this.nodes.map(({ process }) => process.start()));
    await this.ready();
  }

  private make(
    plan: MemberPlan,
    members: readonly MemberPlan[],
    { joins = false, within = [] }: { joins?: boolean; within?: readonly string[] | undefined },
  ): Node {
    const { kind, heartbeatMs = HEARTBEAT_MS, args = [] } = this.options;
    const { token, electionMs } = this;
    const wish = { member: plan, members, joins, token, heartbeatMs, electionMs, args, within };
    const node = { plan, process: kind.make(wish), memberId: '' };
    this.nodes.push(node);
    return node;
  }

  /** A member with a name that none had before. */
  private async plan(others: readonly MemberPlan[] = []): Promise<MemberPlan> {
    this.planned += 1;
    const name = `n${this.planned}`;
    const known = [...others, ...this.nodes.map((node) => node.plan)];
    const taken = new Set(known.flatMap((plan) => [plan.clientPort, plan.peerPort, plan.gatePort]));
    const port = async () => {
      let free = await freePort();
      while (taken.has(free)) free = await freePort();
      taken.add(free);
      return free;
    };
    return {
      name,
      dataFolder: join(this.folder.path, name),
      logFile: join(this.folder.path, `${name}.log`),
      clientPort: await port(),
      peerPort: await port(),
      gatePort: await port(),
    };
  }

  private async openGate({ name, gatePort, peerPort }: MemberPlan): Promise<void> {
    const { kind } = this.options;
    const gate = await NodeGate.open({
      node: name,
      port: gatePort,
      behindPort: peerPort,
      links: this.links,
      identify: (first) =>
        kind.identify(
          first,
          this.nodes.map(({ plan }) => plan.name),
        ),
      nameOf: (caller) =>
        this.nodes.find(({ plan, memberId }) =>
          kind.isMember(caller, { name: plan.name, memberId }),
        )?.plan.name ?? '',
    });
    this.gates.push(gate);
  }

  private async serves(node: Node, deadlineMs: number): Promise<void> {
    const late = AbortSignal.timeout(deadlineMs);
    await this.asks(node, async (client) => {
      while ((await client.perform({ kind: 'range', key: 'ready' })).kind !== 'ok') {
        if (late.aborted || !node.process.isRunning()) {
          throw new Error(`${node.plan.name} does not serve\n${this.logs()}`);
        }
        await delay(POLL_MS);
      }
      const status = await client.status();
      if (status.ok) node.memberId = status.message.header.member_id;
    });
  }

  private async leaderNow(): Promise<Node | undefined> {
    const votes = await Promise.all(
      this.running.map((node) =>
        this.asks(node, async (client) => {
          const status = await client.status();
          return status.ok ? status.message.leader : '0';
        }),
      ),
    );
    return this.running.find(
      ({ memberId }) => votes.filter((vote) => vote === memberId).length * 2 > this.nodes.length,
    );
  }
}
