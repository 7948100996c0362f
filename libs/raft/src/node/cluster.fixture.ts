import { seededRng } from '@pawl/kernel';
import type { Timer } from '@pawl/kernel';
import { vi } from 'vitest';
import { members } from '../core/index.js';
import type { ConfigurationChange, Message } from '../core/index.js';
import { ListMachine, SimulatedDiskError, SimulatedFolder } from '../testing/index.js';
import { overTcp, RaftNode } from './index.js';
import type {
  LogTransport,
  LogStatus,
  PeerAddress,
  RaftSettings,
  StartTransport,
  StorageFolder,
} from './index.js';
import { HERE, Watched } from './transport/transport.fixture.js';

const realTimer: Timer = {
  after(delayMs, callback) {
    const timeout = setTimeout(callback, delayMs);
    return { cancel: () => clearTimeout(timeout) };
  },
};

const realClock = { monotonicMs: () => performance.now() };

export interface MemberOptions {
  readonly id: string;
  readonly folder: StorageFolder;
  /** Null: joins. */
  readonly founders: readonly string[] | null;
  readonly clusterId: string;
  readonly seed: number;
  readonly settings: Partial<RaftSettings>;
}

/** The connection of a member with the others. */
export class Link {
  #inner: LogTransport | null = null;
  /** Called for each message that is sent; false: it is lost. */
  passes: (message: Message) => boolean = () => true;
  snapshots = 0;

  wrap(start: StartTransport): StartTransport {
    return async (self, events) => {
      const inner = await start(self, events);
      this.#inner = inner;
      return {
        get address() {
          return inner.address;
        },
        send: (message) => void (this.passes(message) && inner.send(message)),
        sendSnapshot: (message, openState) => {
          this.snapshots += 1;
          inner.sendSnapshot(message, openState);
        },
        request: (to, body, deadlineMs) => inner.request(to, body, deadlineMs),
        ask: (at, body, deadlineMs) => inner.ask(at, body, deadlineMs),
        setPeers: (peers) => inner.setPeers(peers),
        close: () => inner.close(),
      };
    };
  }

  /** Ends it for good. */
  async cut(): Promise<void> {
    await this.#inner?.close();
  }
}

/** A node, its list of commands and all that it told. */
export class ClusterMember extends Watched {
  readonly machine = new ListMachine();
  readonly places = new Map<string, { readonly index: number; readonly term: number }>();
  readonly statuses: LogStatus[] = [];
  readonly failures: Error[] = [];
  readonly problems: string[] = [];
  readonly link = new Link();
  restored = 0;
  /** What it answers when it is asked. */
  answer: (body: Uint8Array, from: string | null) => Promise<Uint8Array> = (body) =>
    Promise.resolve(body);
  node!: RaftNode;

  private constructor(readonly id: string) {
    super();
  }

  static async start(options: MemberOptions): Promise<ClusterMember> {
    const { id, folder, founders, clusterId, seed, settings } = options;
    const member = new ClusterMember(id);
    const { machine } = member;
    const tcp = overTcp({ listen: HERE, peers: [], timer: realTimer, rng: seededRng(seed) });
    let made = 0;
    member.node = await RaftNode.open({
      folder,
      nodeId: id,
      clusterId,
      founders,
      newId: () => `${id}-${seed}-${(made += 1)}`,
      machine: {
        apply: (command, at) => {
          machine.apply(command);
          member.places.set(Buffer.from(command).toString(), at);
          member.changed();
        },
        snapshot: () => machine.snapshot(),
        *restore(state) {
          yield* machine.restore(state);
          member.restored += 1;
          member.changed();
        },
      },
      events: {
        onStatus: (status) => {
          member.statuses.push(status);
          member.changed();
        },
        onRequest: (from, body) => member.answer(body, from),
        onFailure: (error) => {
          member.failures.push(error);
          member.changed();
        },
        onProblem: (text) => {
          member.problems.push(text);
          member.changed();
        },
      },
      clock: realClock,
      timer: realTimer,
      rng: seededRng(seed),
      settings,
      transport: member.link.wrap(tcp),
    });
    return member;
  }

  get commands(): readonly string[] {
    return this.machine.commands;
  }

  get address(): PeerAddress {
    return { id: this.id, ...this.node.peerAddress! };
  }

  /** Its role, leader and so on, as soon as they are so. */
  async status(condition: (status: LogStatus) => boolean): Promise<LogStatus> {
    await this.until(() => condition(this.node.status()));
    return this.node.status();
  }
}

/** Nodes in one process that reach each other over TCP. */
export class Cluster {
  readonly members = new Map<string, ClusterMember>();
  readonly folders = new Map<string, StorageFolder>();
  #seed = 1;

  constructor(
    readonly founders: readonly string[],
    readonly settings: Partial<RaftSettings> = {},
  ) {}

  static async start(
    founders: readonly string[],
    settings: Partial<RaftSettings> = {},
  ): Promise<Cluster> {
    const cluster = new Cluster(founders, settings);
    for (const id of founders) await cluster.add(id);
    return cluster;
  }

  /** Starts a node, over the folder that it had before if it had one. */
  async add(id: string, changes: Partial<MemberOptions> = {}): Promise<ClusterMember> {
    const folder = changes.folder ?? this.folders.get(id) ?? SimulatedFolder.empty(id);
    this.folders.set(id, folder);
    this.#seed += 1;
    const member = await ClusterMember.start({
      id,
      folder,
      founders: this.founders.includes(id) ? this.founders : null,
      clusterId: 'cluster-1',
      seed: this.#seed,
      settings: this.settings,
      ...changes,
    });
    this.members.set(id, member);
    this.connect();
    return member;
  }

  /** Tells everybody where everybody is. */
  connect(ids: readonly string[] = [...this.members.keys()]): void {
    const peers = ids.flatMap((id) => this.members.get(id)?.address ?? []);
    for (const id of ids) this.members.get(id)?.node.setPeers(peers);
  }

  member(id: string): ClusterMember {
    const member = this.members.get(id);
    if (member === undefined) throw new Error(`${id} does not run`);
    return member;
  }

  /** Everybody but these. */
  others(...ids: readonly string[]): ClusterMember[] {
    return [...this.members.values()].filter(({ id }) => !ids.includes(id));
  }

  /** Waits until one of these leads, and all of its configuration that are among them know it. */
  async leader(among?: readonly ClusterMember[]): Promise<ClusterMember> {
    const asked = among ?? [...this.members.values()];
    const agreed = (): string | null => {
      const statuses = asked.map(({ node }) => node.status());
      const leads = statuses
        .filter(({ role }) => role === 'leader')
        .sort((one, other) => other.term - one.term)[0];
      if (leads === undefined) return null;
      const inside = members(leads.configuration);
      const known = statuses.every(({ nodeId, leader, term }) => {
        return !inside.includes(nodeId) || (leader === leads.nodeId && term === leads.term);
      });
      return known ? leads.nodeId : null;
    };
    await untilAny(asked, () => agreed() !== null);
    return this.member(agreed()!);
  }

  /** Proposes on whoever leads until it is applied there. */
  async write(...commands: readonly string[]): Promise<void> {
    for (const command of commands) {
      for (let done = false; !done;) {
        const leader = await this.leader();
        const outcome = leader.node.propose(Buffer.from(command));
        if (!outcome.ok) continue;
        const { index, term } = outcome;
        await leader.until(() => leader.node.status().appliedIndex >= index);
        done = leader.places.get(command)?.term === term;
      }
    }
  }

  /** Changes the membership, once that is possible, and waits until the change is over. */
  async change(change: ConfigurationChange): Promise<void> {
    const leader = await this.leader();
    const before = leader.node.status().configuration;
    const index = await vi.waitFor(
      () => {
        const outcome = leader.node.change(change);
        if (!outcome.ok) throw new Error(outcome.reason);
        return outcome.index;
      },
      { interval: 5, timeout: 20_000 },
    );
    await leader.until(() => {
      const { commitIndex, configuration } = leader.node.status();
      const changed = configuration !== before && configuration.outgoing.length === 0;
      return changed && commitIndex >= index;
    });
  }

  /** Ends a node in good order. */
  async stop(id: string): Promise<void> {
    const member = this.member(id);
    this.members.delete(id);
    await member.node.stop();
  }

  /** Ends a node as a power loss does: what it has not synced is gone. */
  async crash(id: string): Promise<void> {
    const [member, folder] = [this.member(id), this.folders.get(id)];
    if (!(folder instanceof SimulatedFolder)) throw new Error('only memory loses power');
    this.members.delete(id);
    await member.link.cut();
    this.folders.set(id, folder.crashed(folder.journal.length, { kind: 'lost' }));
    folder.before = () => {
      throw new SimulatedDiskError('the power is off');
    };
    await member.node.stop().catch(() => undefined);
  }

  async stopAll(): Promise<void> {
    await Promise.all([...this.members.values()].map(({ node }) => node.stop()));
    this.members.clear();
  }
}

/** Waits until a condition over several members holds. */
export async function untilAny(
  members: readonly Watched[],
  condition: () => boolean,
): Promise<void> {
  let met = (): void => undefined;
  const done = new Promise<void>((resolve) => (met = resolve));
  for (const member of members) {
    void member.until(() => {
      if (!condition()) return false;
      met();
      return true;
    });
  }
  await done;
}
