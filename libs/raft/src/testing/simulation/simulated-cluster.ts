import { seededRng } from '@pawl/kernel';
import type { Rng } from '@pawl/kernel';
import { foundingState, isJoint } from '../../core/index.js';
import type { Entry } from '../../core/index.js';
import type { Message, SnapshotMark } from '../../core/index.js';
import { Aftermath } from './aftermath.js';
import { Faults } from './faults.js';
import { Invariants } from './invariants.js';
import { Operator } from './operator.js';
import { lookBefore, whatHappened } from './reached.js';
import { SimulatedNode } from './simulated-node.js';
import type { State } from './simulated-disk.js';
import type { MakeCore, NodeHost } from './simulated-node.js';

interface InFlight {
  readonly message: Message;
  readonly state: State | null;
}

/** How often interesting states were reached. */
export type Reached = Readonly<Record<string, number>>;

export interface SimulationOptions {
  readonly seed: number;
  readonly size: 3 | 5 | 7;
  readonly makeCore: MakeCore;
}

export interface SimulationResult {
  readonly reached: Reached;
  /** Hash of every event, message and applied entry. */
  readonly trace: number;
  readonly committed: number;
}

const NODES = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
/** Messages under way at most, by the seed: few are lost early, many arrive late. */
const IN_FLIGHT = [20, 60, 200] as const;
/** Entries behind which a node's log is compacted now and then. */
const COMPACT_EVERY = 8;
/** Delivered messages that are remembered, to come once more much later. */
const OLD = 200;

/**
 * A cluster in one process and one thread: messages are lost, doubled, delayed and reordered, links
 * cut one way or both, nodes crash with or without what they were writing, processes pause, clocks
 * drift and jump, disks stall, the membership changes. Everything follows from the seed; the
 * invariants are checked at every event, and after healing that the cluster works again.
 */
export class SimulatedCluster implements NodeHost {
  readonly #reached: Record<string, number> = {};
  readonly #rng: Rng;
  readonly #nodes = new Map<string, SimulatedNode>();
  readonly #faults: Faults;
  readonly #invariants: Invariants;
  readonly #operator: Operator;
  /** What may happen next, in ten-thousandths. Faults last for several election times. */
  readonly #events: readonly (readonly [share: number, happen: () => void])[] = [
    [4_600, () => this.#deliver()],
    [2_850, () => this.#work()],
    [150, () => this.#applySome()],
    [1_200, () => this.#tick(this.#anyNode())],
    [560, () => this.#propose()],
    [330, () => this.#issueRead()],
    [80, () => this.#lose(this.#rng.below(Math.max(1, this.#network.length)))],
    [100, () => this.#compact()],
    [40, () => this.#crashOrStart()],
    [15, () => this.#faults.repartition(this.#leader()?.id)],
    [30, () => this.#disturbProcess()],
    [35, () => this.#operator.change(this.#leader())],
    [10, () => this.#operator.transfer(this.#leader())],
  ];
  #network: InFlight[] = [];
  readonly #old: InFlight[] = [];
  /** By id: the commit index when the read was asked for. */
  readonly #reads = new Map<number, number>();
  readonly #transferVotes = new Set<string>();
  readonly #inFlight: number;
  /** Share of messages that are taken from the head of the queue. */
  readonly #inOrder: number;
  #readIds = 0;
  #proposals = 0;
  #trace = 0x811c9dc5;

  constructor(private readonly options: SimulationOptions) {
    const { seed, size } = options;
    this.#rng = seededRng(seed);
    const ids = NODES.slice(0, size);
    this.#inFlight = IN_FLIGHT[this.#rng.below(3)] ?? 100;
    this.#inOrder = 0.5 + this.#rng.next() / 2;
    this.#invariants = new Invariants(seed, this.#nodes, (what) => this.#count(what));
    this.#faults = new Faults(ids, seededRng(this.#rng.below(2 ** 31)));
    const founders = NODES.slice(0, Math.max(1, size - this.#rng.below(2)));
    for (const id of ids) {
      this.#nodes.set(id, this.#makeNode(id, founders.includes(id) ? founders : []));
    }
    this.#operator = new Operator({
      nodes: [...this.#nodes.values()],
      rng: this.#rng,
      count: (what) => this.#count(what),
    });
  }

  /** Throws the kernel's `InvariantError` when one does not hold, also when healing does not help. */
  run(events: number): SimulationResult {
    for (let event = 0; event < events; event += 1) {
      this.#event();
      if (event % 64 === 0) this.#matchLogs();
    }
    new Aftermath({
      nodes: this.#nodes,
      faults: this.#faults,
      invariants: this.#invariants,
      rng: this.#rng,
      count: (what) => this.#count(what),
      pass: (rounds) => this.#pass(rounds),
      propose: () => this.#propose(),
      replaceIfRemoved: (node) => this.#replaceIfRemoved(node),
    }).run();
    return { reached: this.#reached, trace: this.#trace, committed: this.#invariants.committed };
  }

  send(node: SimulatedNode, message: Message, state: State | null): void {
    this.#invariants.sent(node, message);
    this.#note(message.term * 31 + message.type.length + message.to.charCodeAt(0));
    if (this.#network.length >= this.#inFlight) this.#lose(this.#rng.below(this.#network.length));
    this.#network.push({ message, state });
    if (message.type === 'snapshot') this.#count('snapshot sent');
    else if (message.type === 'timeout-now') this.#count('transfer begun');
    else if (message.type === 'vote' && message.transfer) {
      this.#transferVotes.add(`${message.from}/${message.term}`);
    } else if (message.type === 'append-response' && message.refused !== undefined) {
      this.#count('append refused');
    }
  }

  written(node: SimulatedNode, last: SnapshotMark): void {
    this.#invariants.written(node, last);
  }

  applied(node: SimulatedNode, entry: Entry): void {
    this.#invariants.applied(node, entry);
    this.#note(entry.index * 7 + entry.term);
  }

  installed(node: SimulatedNode): void {
    this.#invariants.installed(node);
    this.#count('snapshot installed');
  }

  changed(node: SimulatedNode): void {
    this.#invariants.look(node);
    const { role, term } = node.core?.status ?? {};
    if (role === 'leader' && this.#transferVotes.delete(`${node.id}/${term}`)) {
      this.#count('transfer done');
    }
  }

  read(node: SimulatedNode, id: number, index: number): void {
    const wanted = this.#reads.get(id);
    this.#reads.delete(id);
    if (wanted === undefined) return;
    this.#count(node.core?.status.role === 'leader' ? 'leader read' : 'follower read');
    if (index >= wanted) return;
    this.#invariants.fail(`stale read on ${node.id}: ${index}, ${wanted} was committed`);
  }

  wentAhead(_: SimulatedNode, what: 'applied' | 'read'): void {
    this.#count(`${what} while writing`);
  }

  appliesSlowly({ id }: SimulatedNode): boolean {
    return this.#faults.appliesSlowly(id);
  }

  #makeNode(id: string, founders: readonly string[]): SimulatedNode {
    return new SimulatedNode(id, foundingState(founders), {
      makeCore: this.options.makeCore,
      rng: seededRng(this.#rng.below(2 ** 31)),
      host: this,
      config: {
        heartbeatTicks: 1 + this.#rng.below(3),
        electionTicks: 4 + this.#rng.below(8),
        maxUncommittedBytes: 20_000,
        maxApplyBytes: 500,
        maxMessageBytes: this.#rng.below(2) === 0 ? 100 : 4_000,
        maxInflightMessages: 1 + this.#rng.below(4),
        maxInflightBytes: 2_000,
        maxReads: 8,
        catchUpEntries: 5,
        trailingBytes: this.#rng.below(2) * 300,
      },
    });
  }

  #event(): void {
    let dice = this.#rng.below(10_000);
    this.#note(dice);
    for (const [share, happen] of this.#events) {
      dice -= share;
      if (dice < 0) return happen();
    }
  }

  #disturbProcess(): void {
    const kind = this.#rng.below(4);
    const leader = this.#leader()?.id;
    if (kind === 3) return leader === undefined ? undefined : this.#faults.linger(leader);
    if (kind === 0) this.#faults.stall(leader);
    else if (kind === 1) this.#faults.pause(leader);
    else this.#faults.drift(leader);
  }

  #deliver(): void {
    if (this.#network.length === 0) return;
    const early = this.#rng.next() < this.#inOrder;
    const at = early ? 0 : this.#rng.below(this.#network.length);
    const found = this.#network[at];
    if (found === undefined || this.#faults.isPaused(found.message.to)) return;
    if (this.#rng.next() < 0.03) this.#count('message doubled');
    else this.#network.splice(at, 1);
    this.#old[this.#rng.below(OLD)] = found;
    this.#take(found);
    const old = this.#old[this.#rng.below(OLD)];
    if (old === undefined || this.#rng.below(40) > 0) return;
    this.#count('old message replayed');
    this.#take(old);
  }

  #take({ message, state }: InFlight): void {
    const node = this.#nodes.get(message.to);
    const lost = this.#faults.isCut(message.from, message.to) || node?.up !== true;
    if (message.type === 'snapshot') {
      const sender = this.#nodes.get(message.from);
      sender?.core?.snapshotEnded(message.to, !lost);
      sender?.flush();
    }
    if (lost || !node?.core) return;
    const before = lookBefore(node.core, message);
    node.receive(message, state);
    if (node.core.status.last < before.status.last && before.conflict === undefined) {
      this.#invariants.fail(
        `I2 ${node.id} drops entries that the ${message.type} does not contradict`,
      );
    }
    for (const what of whatHappened(node.core, message, before)) this.#count(what);
  }

  #lose(at: number): void {
    const [lost] = this.#network.splice(at, 1);
    if (lost === undefined) return;
    const sender = this.#nodes.get(lost.message.from);
    if (lost.message.type === 'snapshot') sender?.core?.snapshotEnded(lost.message.to, false);
    else if (this.#rng.below(4) === 0) sender?.core?.unreachable(lost.message.to);
    sender?.flush();
  }

  #work(): void {
    const nodes = [...this.#nodes.values()].filter(
      (node) =>
        (node.busy ? !this.#faults.diskHangs(node.id) : node.core?.hasReady === true) &&
        !this.#faults.isPaused(node.id),
    );
    const node = nodes[this.#rng.below(Math.max(1, nodes.length))];
    if (node === undefined || (node.busy && this.#faults.diskTakesLonger(node.id))) return;
    node.work();
  }

  #applySome(): void {
    const nodes = [...this.#nodes.values()].filter(
      (node) => node.applies && !this.#faults.isPaused(node.id),
    );
    nodes[this.#rng.below(Math.max(1, nodes.length))]?.applySome();
  }

  #tick(node: SimulatedNode): void {
    if (this.#faults.isPaused(node.id)) return;
    for (let left = this.#faults.ticksOf(node.id); left > 0; left -= 1) {
      const before = node.core?.status.role;
      node.core?.tick();
      node.flush();
      if (before === 'leader' && node.core?.status.role !== 'leader') {
        this.#count(`leader gave up${this.#faults.diskHangs(node.id) ? ': its disk hangs' : ''}`);
      }
    }
  }

  #propose(): string {
    const leader = this.#leader() ?? this.#anyNode();
    this.#proposals += 1;
    const text = `p${this.#proposals}`;
    leader.core?.propose(new TextEncoder().encode(text));
    leader.flush();
    return text;
  }

  #issueRead(): void {
    const node = this.#rng.below(3) === 0 ? (this.#leader() ?? this.#anyNode()) : this.#anyNode();
    const id = (this.#readIds += 1);
    this.#invariants.readAsked(id);
    if (node.core?.read(id) === true) this.#reads.set(id, this.#invariants.committed);
    node.flush();
  }

  #compact(): void {
    const node = this.#anyNode();
    const kept = node.durable.entries.length;
    if (kept >= COMPACT_EVERY || this.#rng.below(8) === 0) node.compact();
  }

  #crashOrStart(): void {
    const down = [...this.#nodes.values()].filter(({ up }) => !up);
    const picked = down[this.#rng.below(2 * Math.max(1, down.length))];
    const node = picked ?? this.#anyNode();
    if (node.broken) {
      this.#replaceIfRemoved(node);
      return this.#operator.change(this.#leader());
    }
    if (!node.up) {
      node.start();
      return node.flush();
    }
    if (this.#rng.below(3) > 0) return;
    if (node.core && isJoint(node.core.status.configuration)) {
      this.#count('crash in a joint configuration');
    }
    this.#count(`crash: ${node.crash()}`);
    if (this.#rng.below(8) > 0 || !this.#operator.canDoWithout(node)) return;
    node.damage();
    if (node.broken) this.#count('start refused: what was durable is damaged');
  }

  #replaceIfRemoved(node: SimulatedNode): void {
    if (!this.#operator.mayReplace(node, this.#leader())) return;
    this.#count('node replaced under its old id');
    // Connections are made anew with the new folder: nothing comes from the former one any more.
    const others = ({ message: { from, to } }: InFlight): boolean =>
      from !== node.id && to !== node.id;
    this.#network = this.#network.filter(others);
    this.#old.splice(0, this.#old.length, ...this.#old.filter(others));
    this.#invariants.replaced(node);
    node.replace();
    node.flush();
  }

  #matchLogs(): void {
    const [a, b] = [this.#anyNode().core, this.#anyNode().core];
    if (a !== null) this.#invariants.checkConfiguration(a);
    if (a !== null && b !== null && a !== b) this.#invariants.matchLogs(a, b);
  }

  #pass(rounds: number): void {
    for (let round = 0; round < rounds; round += 1) {
      for (const node of this.#nodes.values()) this.#tick(node);
      this.#settle();
    }
  }

  #settle(): void {
    for (let left = 5_000; left > 0; left -= 1) {
      const delivered = this.#network.splice(0);
      for (const each of delivered) this.#take(each);
      let worked = delivered.length > 0;
      for (const node of this.#nodes.values()) {
        if (node.applies && !this.#faults.appliesSlowly(node.id)) {
          node.applySome();
          worked = true;
        }
        if (!node.busy && node.core?.hasReady !== true) continue;
        if (node.busy && this.#faults.diskHangs(node.id)) continue;
        node.work();
        worked = true;
      }
      if (!worked) return;
    }
    this.#invariants.fail('the cluster never comes to rest');
  }

  #anyNode(): SimulatedNode {
    const nodes = [...this.#nodes.values()];
    return nodes[this.#rng.below(nodes.length)] as SimulatedNode;
  }

  /** A node that takes itself for the leader, the one of the newest term or the one before. */
  #leader(): SimulatedNode | undefined {
    const leaders = [...this.#nodes.values()]
      .filter((node) => node.core?.status.role === 'leader')
      .sort((a, b) => (b.core?.status.term ?? 0) - (a.core?.status.term ?? 0));
    return leaders.length > 1 && this.#rng.below(2) === 0 ? leaders[1] : leaders[0];
  }

  #count(what: string): void {
    this.#reached[what] = (this.#reached[what] ?? 0) + 1;
  }

  #note(value: number): void {
    this.#trace = Math.imul(this.#trace ^ value, 0x01000193) >>> 0;
  }
}
