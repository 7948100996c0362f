import { InvariantError } from '@pawl/kernel';
import { decodeConfiguration, isJoint, isVoter } from '../../core/index.js';
import type { Configuration, Entry, Message, RaftCore } from '../../core/index.js';
import type { ReadResponse, SnapshotMark } from '../../core/index.js';
import type { SimulatedNode } from './simulated-node.js';

/** What is known of a node from the last look at it. */
interface Seen {
  term: number;
  vote: string | null;
  commit: number;
  snapshot: number;
  coreTerm: number;
  coreCommit: number;
  leads: boolean;
}

interface Committed {
  readonly term: number;
  readonly text: string;
  /** Term of the leader that committed it. */
  readonly by: number;
}

/**
 * The invariants of replicated logs, I1 to I13 in the order of the project's list, checked from
 * outside: on disks, messages and states, after every event of a simulation. Every check throws
 * the kernel's `InvariantError`.
 */
export class Invariants {
  readonly #seed: number;
  readonly #leaders = new Map<number, string>();
  /** By index: the entry that is committed there. */
  readonly #committed: Committed[] = [{ term: 0, text: '', by: 0 }];
  /** By candidate and term: who said yes. */
  readonly #votes = new Map<string, Set<string>>();
  /** Looks so far: the time of this world. */
  #now = 0;
  /** By node, leader and term: when the node last answered the leader's heartbeats. */
  readonly #answers = new Map<string, number>();
  /** By read: when it was asked for. */
  readonly #asked = new Map<number, number>();
  readonly #seen = new Map<string, Seen>();

  constructor(
    seed: number,
    private readonly nodes: ReadonlyMap<string, SimulatedNode>,
    private readonly count: (what: string) => void,
  ) {
    this.#seed = seed;
  }

  /** Highest index known to be committed. */
  get committed(): number {
    return this.#committed.length - 1;
  }

  textAt(index: number): string | undefined {
    return this.#committed[index]?.text;
  }

  /** Looks at a node after it has taken any input. */
  look(node: SimulatedNode): void {
    this.#now += 1;
    const seen = this.#seenOf(node);
    this.#checkDisk(node, seen);
    const { core } = node;
    if (core === null) {
      seen.leads = false;
      return;
    }
    const { role, term, commit, applied, last, configuration } = core.status;
    const { length: inState } = node.state;
    if (applied !== inState) {
      this.fail(`I10 ${node.id} takes ${applied} for applied, its state is at ${inState}`);
    }
    if (node.hasTooMuchToApply) this.fail(`${node.id} is given more to apply than is allowed`);
    if (term < node.durable.hardState.term) this.fail(`I8 ${node.id} is behind its own disk`);
    if (commit < node.durable.hardState.commit) this.fail(`I8 the commit index of ${node.id} fell`);
    const { index: snapshot } = node.durable.snapshot;
    if (snapshot > commit || inState > commit || commit > last) {
      this.fail(
        `I10 ${node.id}: snapshot ${snapshot}, applied ${inState}, commit ${commit}/${last}`,
      );
    }
    if (role === 'leader') this.#checkLeader(node, core, seen);
    else if (role !== 'follower') this.#checkCandidate(node, core, configuration);
    if (commit > this.committed) this.#commit(node, core);
    const known = this.#committed[commit];
    if (commit > seen.coreCommit && known !== undefined && !core.holds(commit, known.term)) {
      this.fail(`I5 ${node.id} takes another entry ${commit} for committed`);
    }
    seen.leads = role === 'leader';
    seen.coreTerm = term;
    seen.coreCommit = commit;
  }

  /** A message leaves a node: it promises only what its disk holds. */
  sent(node: SimulatedNode, message: Message): void {
    const { hardState, snapshot, entries } = node.durable;
    const { type, term } = message;
    if (type === 'heartbeat-response') {
      this.#answers.set(`${node.id}>${message.to}/${term}`, this.#now);
    } else if (type === 'read-response') this.#checkRound(node, message);
    const mine =
      type === 'vote' ? node.id : type === 'vote-response' && message.granted ? message.to : null;
    const promises = type === 'append-response' || type === 'heartbeat-response' || mine !== null;
    if (promises && hardState.term < term)
      this.fail(`I9 ${node.id} says ${type} of ${term} too early`);
    if (mine !== null && hardState.term === term && hardState.vote !== mine) {
      this.fail(`I9 ${node.id} votes for ${mine} before its disk does`);
    }
    if (type === 'vote-response' && message.granted) {
      this.#votesOf(message.to, term).add(node.id);
      if (node.newestConfiguration.voters.length === 0) {
        this.fail(`I9 ${node.id} votes and knows of no cluster: it may have forgotten its votes`);
      }
    }
    if (type !== 'append-response' || message.refused !== undefined) return;
    if (hardState.term > term) return;
    const { index } = message;
    const leader = this.nodes.get(message.to)?.core;
    const leads = leader?.status.role === 'leader' && leader.status.term === term;
    const wanted = leads && !isCompacted(leader, index) ? leader.entryAt(index).term : null;
    const held = index <= snapshot.index + entries.length;
    if (held && (wanted === null || node.holds(index, wanted))) return;
    this.fail(
      `I9 ${node.id} acknowledges ${index} to ${message.to}, and its disk does not hold it`,
    );
  }

  /** What a Ready has written is the log as it was when the Ready was taken. */
  written(node: SimulatedNode, last: SnapshotMark): void {
    const { snapshot, entries } = node.durable;
    const { index, term } = entries.at(-1) ?? snapshot;
    if (index === last.index && term === last.term) return;
    this.fail(
      `the disk of ${node.id} ends at ${index}/${term}, the log at ${last.index}/${last.term}`,
    );
  }

  /** Its id goes on with an empty folder. */
  replaced(node: SimulatedNode): void {
    this.#seen.delete(node.id);
  }

  readAsked(id: number): void {
    this.#asked.set(id, this.#now);
  }

  applied(node: SimulatedNode, entry: Entry): void {
    const known = this.#committed[entry.index];
    if (known === undefined) this.fail(`I4 ${node.id} applied ${entry.index}, not committed`);
    if (known.term !== entry.term || known.text !== textOf(entry)) {
      this.fail(`I4 ${node.id} applied another entry ${entry.index}`);
    }
    if (node.state.length !== entry.index) this.fail(`I4 ${node.id} skipped to ${entry.index}`);
    if (node.holds(entry.index, entry.term)) return;
    this.fail(`I10 ${node.id} applied ${entry.index}, and its disk does not hold it`);
  }

  /** A state that came as a snapshot is what applying the log gives. */
  installed(node: SimulatedNode): void {
    const { index } = node.durable.snapshot;
    if (node.state.length !== index) this.fail(`I4 the snapshot of ${node.id} is not at ${index}`);
    for (const [before, text] of node.state.entries()) {
      const entry = this.#committed[before + 1];
      if (entry === undefined || commandOf(entry.text) !== text) {
        this.fail(`I4 the snapshot of ${node.id} differs at ${before + 1}`);
      }
    }
  }

  /** I2: where two logs hold an entry of the same index and term, all before it agree too. */
  matchLogs(a: RaftCore, b: RaftCore): void {
    let agree = false;
    for (let index = Math.min(a.status.last, b.status.last); index > 0; index -= 1) {
      if (isCompacted(a, index) || isCompacted(b, index)) return;
      const [left, right] = [a.entryAt(index), b.entryAt(index)];
      if (left.term === right.term) {
        agree = true;
        if (textOf(left) !== textOf(right)) this.fail(`I2 two entries ${index} of one term`);
      } else if (agree) {
        this.fail(`I2 logs differ at ${index} and agree above it`);
      }
    }
  }

  /** The newest configuration in the log is the one that counts. */
  checkConfiguration(core: RaftCore): void {
    const { last, configuration } = core.status;
    for (let index = last; index > 0 && !isCompacted(core, index); index -= 1) {
      const { kind, data } = core.entryAt(index);
      if (kind !== 'configuration') continue;
      const newest = print(decodeConfiguration(data));
      if (newest === print(configuration)) return;
      this.fail(`I11 ${newest} is in the log, and ${print(configuration)} counts`);
    }
  }

  fail(what: string): never {
    const nodes = [...this.nodes.values()].map((node) => `\n  ${describeNode(node)}`);
    throw new InvariantError(`seed ${this.#seed}: ${what}${nodes.join('')}`);
  }

  /** A read is confirmed by a quorum that answered the leader after it was asked for. */
  #checkRound(leader: SimulatedNode, { id, term }: ReadResponse): void {
    const asked = this.#asked.get(id);
    const status = leader.core?.status;
    if (asked === undefined || status?.role !== 'leader' || status.term !== term) return;
    const answered = (voter: string): boolean =>
      voter === leader.id || (this.#answers.get(`${voter}>${leader.id}/${term}`) ?? -1) >= asked;
    if (isQuorum(status.configuration, answered)) return;
    this.fail(`read ${id} is confirmed by ${leader.id} without a quorum round`);
  }

  #votesOf(candidate: string, term: number): Set<string> {
    const key = `${candidate}/${term}`;
    const votes = this.#votes.get(key) ?? new Set();
    this.#votes.set(key, votes);
    return votes;
  }

  #seenOf(node: SimulatedNode): Seen {
    const { hardState, snapshot } = node.durable;
    let seen = this.#seen.get(node.id);
    if (seen === undefined) {
      const none = { leads: false, coreTerm: 0, coreCommit: 0 };
      seen = { ...hardState, ...none, snapshot: snapshot.index };
      this.#seen.set(node.id, seen);
    }
    return seen;
  }

  #checkDisk(node: SimulatedNode, seen: Seen): void {
    const { hardState, snapshot } = node.durable;
    const { term, vote, commit } = hardState;
    if (term < seen.term) this.fail(`I8 the durable term of ${node.id} fell to ${term}`);
    if (term === seen.term && seen.vote !== null && vote !== seen.vote) {
      this.fail(`I8 ${node.id} votes for ${vote} and ${seen.vote} in term ${term}`);
    }
    if (commit < seen.commit) this.fail(`I8 the durable commit index of ${node.id} fell`);
    if (snapshot.index < seen.snapshot) this.fail(`I8 the snapshot of ${node.id} grew older`);
    Object.assign(seen, { term, vote, commit, snapshot: snapshot.index });
  }

  #checkLeader(node: SimulatedNode, core: RaftCore, seen: Seen): void {
    const { term, commit } = core.status;
    if (this.#leaders.get(term) !== node.id) this.#elected(node, core);
    const goesOn = seen.leads && seen.coreTerm === term && commit > seen.coreCommit;
    if (goesOn && core.entryAt(commit).term !== term) {
      this.fail(`I7 ${node.id} committed ${commit} of an earlier term by counting`);
    }
    this.#checkConfigurationStep(node, core);
  }

  #elected(node: SimulatedNode, core: RaftCore): void {
    const { term, configuration } = core.status;
    const other = this.#leaders.get(term);
    if (other !== undefined) this.fail(`I1 term ${term} has two leaders, ${other} and ${node.id}`);
    this.#leaders.set(term, node.id);
    this.count('leader elected');
    if (isJoint(configuration)) this.count('leader elected in a joint configuration');
    if (!configuration.voters.includes(node.id)) this.count('leader elected that is leaving');
    const votes = this.#votesOf(node.id, term).add(node.id);
    if (!isQuorum(configuration, (id) => votes.has(id))) {
      this.fail(`I1 ${node.id} leads term ${term} by votes of ${[...votes].join('')} only`);
    }
    if (node.durable.hardState.term < term) this.fail(`I9 ${node.id} leads a term it may forget`);
    // Its votes may have been long on the way: what later terms committed meanwhile it need not hold.
    const newest = this.#committed.findLastIndex(({ by }) => by < term);
    if (newest > 0 && !core.holds(newest, this.#committed[newest]?.term ?? 0)) {
      this.fail(`I3 ${node.id} leads term ${term} without entry ${newest}`);
    }
  }

  /** I11: the newest configuration is one step away from the committed one, so majorities meet. */
  #checkConfigurationStep(node: SimulatedNode, core: RaftCore): void {
    const { commit, last, configuration: newest } = core.status;
    const committed = core.markAt(commit).configuration;
    const from = isJoint(newest) && !isJoint(committed) ? newest.outgoing : newest.voters;
    const twoChanges = isJoint(newest) && isJoint(committed) && print(newest) !== print(committed);
    if (from.join() === committed.voters.join() && !twoChanges) return;
    this.fail(
      `I11 ${node.id} went from ${print(committed)} (${commit}) to ${print(newest)} (${last})`,
    );
  }

  #checkCandidate(node: SimulatedNode, core: RaftCore, newest: Configuration): void {
    const { commit } = core.status;
    if (isVoter(newest, node.id) || isVoter(core.markAt(commit).configuration, node.id)) return;
    this.fail(`I13 ${node.id} campaigns and has no vote`);
  }

  /**
   * I6. What is newly committed was counted in the newest configuration, or in the joint one that is
   * among it: with its commit the leader goes on to the configuration that follows.
   */
  #commit(node: SimulatedNode, core: RaftCore): void {
    const { commit, configuration: newest } = core.status;
    let counted = newest;
    for (let index = this.#committed.length; index <= commit; index += 1) {
      const entry = core.entryAt(index);
      this.#committed.push({ term: entry.term, text: textOf(entry), by: core.status.term });
      if (entry.kind !== 'configuration') continue;
      this.count('configuration committed');
      const { configuration } = core.markAt(index);
      if (isJoint(configuration)) counted = configuration;
    }
    const { term } = this.#committed[commit] as Committed;
    const holds = (id: string): boolean => this.nodes.get(id)?.holds(commit, term) === true;
    if (isQuorum(counted, holds)) return;
    this.fail(`I6 ${node.id} committed ${commit} without a durable quorum of ${print(counted)}`);
  }
}

function describeNode({ id, core, broken }: SimulatedNode): string {
  if (core === null) return `${id}: ${broken ? 'broken' : 'down'}`;
  const { role, leader, term, commit, applied, last, configuration } = core.status;
  const log = `applied ${applied} commit ${commit} last ${last}`;
  return `${id}: ${role} of ${leader} t${term} ${log} ${print(configuration)}`;
}

/** More than half of the voters, and of the outgoing ones if there are any. */
function isQuorum({ voters, outgoing }: Configuration, agrees: (id: string) => boolean): boolean {
  return [voters, outgoing].every(
    (half) => half.length === 0 || half.filter(agrees).length > half.length / 2,
  );
}

function textOf(entry: Entry): string {
  return entry.kind === 'noop' ? 'noop' : `${entry.kind} ${new TextDecoder().decode(entry.data)}`;
}

/** Whether only a snapshot covers the entry: no entry is of term -1, so the log holds none such. */
function isCompacted(core: RaftCore, index: number): boolean {
  return core.holds(index - 1, -1);
}

/** What a state machine keeps of an entry. */
function commandOf(text: string): string {
  return text.startsWith('command ') ? text.slice('command '.length) : '';
}

function print({ voters, outgoing, learners }: Configuration): string {
  return `${voters.join('')}/${outgoing.join('')}+${learners.join('')}`;
}
