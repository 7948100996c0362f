import { seededRng } from '@pawl/kernel';
import type { Rng } from '@pawl/kernel';
import { foundingState, isJoint, isVoter, members } from '../../core/index.js';
import type { ConfigurationChange, Entry } from '../../core/index.js';
import type { Message, SnapshotMark } from '../../core/index.js';
import { Faults } from './faults.js';
import { Invariants } from './invariants.js';
import { lookBefore, whatHappened } from './reached.js';
import { SimulatedNode } from './simulated-node.js';
import type { MakeCore, NodeHost, State } from './simulated-node.js';

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
const OLD = 60;
/** Rounds of one tick each in which a healed cluster must come to rest: many election times. */
const HEAL_ROUNDS = 200;

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
  /** What may happen next, in ten-thousandths. Faults last for several election times. */
  readonly #events: readonly (readonly [share: number, happen: () => void])[] = [
    [4_700, () => this.#deliver()],
    [2_900, () => this.#work()],
    [1_200, () => this.#tick(this.#anyNode())],
    [560, () => this.#propose()],
    [330, () => this.#issueRead()],
    [80, () => this.#lose(this.#rng.below(Math.max(1, this.#network.length)))],
    [100, () => this.#compact()],
    [40, () => this.#crashOrStart()],
    [15, () => this.#faults.repartition(this.#leader()?.id)],
    [30, () => this.#disturbProcess()],
    [35, () => this.#change()],
    [10, () => this.#transfer()],
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
    for (const id of ids) this.#nodes.set(id, this.#makeNode(id, founders));
  }

  /** Throws the kernel's `InvariantError` when one does not hold, also when healing does not help. */
  run(events: number): SimulationResult {
    for (let event = 0; event < events; event += 1) {
      this.#event();
      if (event % 64 === 0) this.#matchLogs();
    }
    this.#heal();
    this.#disturb();
    this.#failOver();
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
    if (nodes.length > 0) nodes[this.#rng.below(nodes.length)]?.work();
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

  #propose(): void {
    const leader = this.#leader() ?? this.#anyNode();
    this.#proposals += 1;
    leader.core?.propose(new TextEncoder().encode(`p${this.#proposals}`));
    leader.flush();
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
    const node = this.#anyNode();
    if (node.up) {
      if (this.#rng.below(3) > 0) return;
      if (node.core && isJoint(node.core.status.configuration)) {
        this.#count('crash in a joint configuration');
      }
      this.#count(`crash: ${node.crash()}`);
    } else {
      node.start();
      node.flush();
    }
  }

  #change(): void {
    const leader = this.#leader();
    if (!leader?.core) return;
    const { voters, learners } = leader.core.status.configuration;
    const node = this.#anyNode().id;
    // Only who learns already may become a voter.
    const learner = learners[this.#rng.below(Math.max(1, learners.length))] ?? node;
    const kind = this.#rng.below(4);
    const change: ConfigurationChange =
      kind === 0 && voters.length > 1
        ? { remove: [node] }
        : kind === 1
          ? { addLearners: [node] }
          : kind === 2 && voters.length > 1
            ? { addVoters: [learner], remove: [node] }
            : { addVoters: [learner] };
    const outcome = leader.core.change(change);
    if (outcome.ok && (change.addVoters ?? []).some((id) => learners.includes(id))) {
      this.#count('learner made a voter');
    }
    this.#count(outcome.ok ? 'configuration proposed' : `change refused: ${outcome.reason}`);
    leader.flush();
  }

  #transfer(): void {
    const leader = this.#leader();
    leader?.core?.transfer(this.#anyNode().id);
    leader?.flush();
  }

  #matchLogs(): void {
    const [a, b] = [this.#anyNode().core, this.#anyNode().core];
    if (a !== null) this.#invariants.checkConfiguration(a);
    if (a !== null && b !== null && a !== b) this.#invariants.matchLogs(a, b);
  }

  /** Faults end: one leader, everything committed and applied everywhere, a new write too. */
  #heal(): void {
    this.#faults.heal();
    for (const node of this.#nodes.values()) if (!node.up) node.start();
    this.#pass(HEAL_ROUNDS);
    this.#propose();
    this.#pass(HEAL_ROUNDS);
    const { core } = this.#soleLeader('after healing');
    const { applied, last, configuration } = core.status;
    if (this.#invariants.textAt(last) !== `command p${this.#proposals}`) {
      this.#invariants.fail('V2 no write after healing');
    }
    for (const id of members(configuration)) {
      const node = this.#nodes.get(id);
      if (node?.state.length !== applied) this.#invariants.fail(`V3 ${id} did not catch up`);
    }
    if (isJoint(configuration)) this.#invariants.fail('V6 a change is still under way');
  }

  /**
   * I12, and the like of a partial partition: a node that is not heard of any more, and one that does
   * not hear the leader while the others do, bring nobody to elect another one; also not afterwards.
   */
  #disturb(): void {
    const before = this.#soleLeader('before disturbing').core.status;
    const leader = before.leader ?? '';
    const others = [...this.#nodes.keys()].filter((id) => id !== leader);
    const deaf = others[this.#rng.below(others.length)] ?? '';
    const votes = isVoter(before.configuration, deaf);
    if (!votes || before.configuration.voters.length > 2) {
      this.#faults.cut(leader, deaf);
      this.#count(votes ? 'voter deaf to its leader' : 'outsider deaf to the leader');
    }
    const outside = others.some((id) => !members(before.configuration).includes(id));
    if (outside) this.#count('removed node left running');
    this.#pass(HEAL_ROUNDS / 2);
    this.#faults.heal();
    this.#pass(HEAL_ROUNDS / 4);
    const after = this.#soleLeader('while one is deaf').core.status;
    if (after.leader === leader && after.term === before.term) return;
    this.#invariants.fail(`I12 ${deaf} or a removed node unseated ${leader} for ${after.leader}`);
  }

  /** A leader that only speaks, or whose disk hangs, gives way to another one. */
  #failOver(): void {
    const { core } = this.#soleLeader('before its failure');
    const { leader, configuration } = core.status;
    if (leader === null || configuration.voters.length < 3) return;
    if (this.#rng.below(2) === 0) this.#faults.stallDisk(leader);
    else for (const id of this.#nodes.keys()) this.#faults.cut(id, leader);
    this.#propose();
    this.#pass(HEAL_ROUNDS / 2);
    const { core: next } = this.#soleLeader('after the failure of one');
    if (next.status.leader === leader)
      this.#invariants.fail(`V1 ${leader} leads and cannot commit`);
    this.#count('leader replaced that could not commit');
  }

  #pass(rounds: number): void {
    for (let round = 0; round < rounds; round += 1) {
      for (const node of this.#nodes.values()) this.#tick(node);
      this.#settle();
    }
  }

  #soleLeader(when: string): { readonly core: NonNullable<SimulatedNode['core']> } {
    const leaders = [...this.#nodes.values()].filter((n) => n.core?.status.role === 'leader');
    const core = leaders.length === 1 ? leaders[0]?.core : null;
    return core ? { core } : this.#invariants.fail(`V1 ${leaders.length} leaders ${when}`);
  }

  #settle(): void {
    for (let left = 5_000; left > 0; left -= 1) {
      const delivered = this.#network.splice(0);
      for (const each of delivered) this.#take(each);
      let worked = delivered.length > 0;
      for (const node of this.#nodes.values()) {
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
