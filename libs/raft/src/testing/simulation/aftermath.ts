import type { Rng } from '@pawl/kernel';
import { isJoint, isVoter, members } from '../../core/index.js';
import type { RaftCore } from '../../core/index.js';
import type { ConfigurationChange } from '../../core/index.js';
import type { Faults } from './faults.js';
import type { Invariants } from './invariants.js';
import type { SimulatedNode } from './simulated-node.js';

/** What the aftermath needs of the simulated world. */
export interface World {
  readonly nodes: ReadonlyMap<string, SimulatedNode>;
  readonly faults: Faults;
  readonly invariants: Invariants;
  readonly rng: Rng;
  readonly count: (what: string) => void;
  /** A tick of every node, and then all that follows from it, until nothing is left to do. */
  readonly pass: (rounds: number) => void;
  /** A new command for the leader; answers its text. */
  readonly propose: () => string;
  /** The id begins again with an empty folder, if it is no member any more. */
  readonly replaceIfRemoved: (node: SimulatedNode) => void;
}

/** Rounds of one tick each in which a healed cluster must come to rest: many election times. */
const ROUNDS = 200;

/**
 * What must hold once the faults end, within a bounded number of ticks: liveness (V1 to V3, V6), and
 * that single failures after that are survived. Every check throws the kernel's `InvariantError`.
 */
export class Aftermath {
  constructor(private readonly world: World) {}

  run(): void {
    this.#heal();
    this.#disturb();
    this.#applySlowly();
    this.#replaceDead();
    this.#failOver();
  }

  /** One leader, everything committed and applied everywhere, a new write too. */
  #heal(): void {
    const { faults, nodes, pass, invariants, propose } = this.world;
    faults.heal();
    for (const node of nodes.values()) if (!node.up && !node.broken) node.start();
    pass(ROUNDS);
    const broken = [...nodes.values()].find((node) => node.broken);
    if (broken !== undefined) this.#replace(broken);
    const text = propose();
    pass(ROUNDS);
    const { last, configuration } = this.#soleLeader('after healing').status;
    if (invariants.textAt(last) !== `command ${text}`) {
      invariants.fail('V2 no write after healing');
    }
    for (const id of members(configuration)) this.#mustBeCaughtUp(id);
    if (isJoint(configuration)) invariants.fail('V6 a change is still under way');
  }

  /**
   * I12, and the like of a partial partition: a node that is not heard of any more, and one that does
   * not hear the leader while the others do, bring nobody to elect another one; also not afterwards.
   */
  #disturb(): void {
    const { faults, nodes, pass, invariants, rng, count } = this.world;
    const before = this.#soleLeader('before disturbing').status;
    const leader = before.leader ?? '';
    const others = [...nodes.keys()].filter((id) => id !== leader);
    const deaf = others[rng.below(others.length)] ?? '';
    const votes = isVoter(before.configuration, deaf);
    if (!votes || before.configuration.voters.length > 2) {
      faults.cut(leader, deaf);
      count(votes ? 'voter deaf to its leader' : 'outsider deaf to the leader');
    }
    const outside = others.some((id) => !members(before.configuration).includes(id));
    if (outside) count('removed node left running');
    pass(ROUNDS / 2);
    faults.heal();
    pass(ROUNDS / 4);
    const after = this.#soleLeader('while one is deaf').status;
    if (after.leader === leader && after.term === before.term) return;
    invariants.fail(`I12 ${deaf} or a removed node unseated ${leader} for ${after.leader}`);
  }

  /** State machines stand still for many election times: nothing but what they hold waits for them. */
  #applySlowly(): void {
    const { faults, pass, invariants, propose, count } = this.world;
    const before = this.#soleLeader('before nothing is applied').status;
    faults.slowMachines();
    propose();
    pass(ROUNDS / 4);
    const text = propose();
    pass(ROUNDS / 4);
    const after = this.#soleLeader('while nothing is applied').status;
    if (after.leader !== before.leader || after.term !== before.term) {
      invariants.fail(
        `V1 ${before.leader} is unseated for ${after.leader} by what is to be applied`,
      );
    }
    if (invariants.textAt(after.last) !== `command ${text}` || after.commit < after.last) {
      invariants.fail('V2 no write while nothing is applied');
    }
    if (after.applied < after.commit) count('leader stays whose state machine stands still');
    faults.heal();
    pass(1);
    for (const id of members(after.configuration)) this.#mustBeCaughtUp(id);
  }

  /** A member dies with its disk; it is removed and joins anew, under its old id, up to its vote. */
  #replaceDead(): void {
    const { nodes, rng, count } = this.world;
    const { leader, configuration } = this.#soleLeader('before one is replaced').status;
    const { voters } = configuration;
    const dead = nodes.get(voters[rng.below(voters.length)] ?? '');
    if (dead === undefined || dead.id === leader || voters.length < 3) return;
    dead.crash();
    dead.broken = true;
    this.#replace(dead);
    this.#mustChange({ addLearners: [dead.id] });
    this.#mustChange({ addVoters: [dead.id] });
    this.#mustBeCaughtUp(dead.id);
    count('dead node replaced, up to its vote');
  }

  #replace(broken: SimulatedNode): void {
    const { invariants, replaceIfRemoved } = this.world;
    const { configuration } = this.#soleLeader('before a broken node leaves').status;
    if (members(configuration).includes(broken.id)) this.#mustChange({ remove: [broken.id] });
    replaceIfRemoved(broken);
    if (broken.broken) invariants.fail(`V6 the broken ${broken.id} was not removed`);
  }

  #mustChange(change: ConfigurationChange): void {
    const { pass, invariants } = this.world;
    const outcome = this.#soleLeader('before a change').change(change);
    if (!outcome.ok)
      return invariants.fail(`V6 ${JSON.stringify(change)} is refused: ${outcome.reason}`);
    pass(ROUNDS / 4);
    const { commit, configuration } = this.#soleLeader('after a change').status;
    if (isJoint(configuration) || commit < outcome.index) {
      invariants.fail(`V6 ${JSON.stringify(change)} does not end`);
    }
  }

  /** A leader that only speaks, or whose disk hangs, gives way to another one. */
  #failOver(): void {
    const { faults, nodes, pass, invariants, rng, count, propose } = this.world;
    const { leader, configuration } = this.#soleLeader('before its failure').status;
    if (leader === null || configuration.voters.length < 3) return;
    if (rng.below(2) === 0) faults.stallDisk(leader);
    else for (const id of nodes.keys()) faults.cut(id, leader);
    propose();
    pass(ROUNDS / 2);
    const next = this.#soleLeader('after the failure of one').status;
    if (next.leader === leader) invariants.fail(`V1 ${leader} leads and cannot commit`);
    count('leader replaced that could not commit');
  }

  #mustBeCaughtUp(id: string): void {
    const { applied } = this.#soleLeader('to catch up with').status;
    const node = this.world.nodes.get(id);
    if (node?.state.length !== applied) this.world.invariants.fail(`V3 ${id} did not catch up`);
  }

  #soleLeader(when: string): RaftCore {
    const { nodes, invariants } = this.world;
    const leaders = [...nodes.values()].filter((n) => n.core?.status.role === 'leader');
    const core = leaders.length === 1 ? leaders[0]?.core : null;
    return core ?? invariants.fail(`V1 ${leaders.length} leaders ${when}`);
  }
}
