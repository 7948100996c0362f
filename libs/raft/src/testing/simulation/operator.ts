import type { Rng } from '@pawl/kernel';
import { encodeConfiguration, isJoint, isVoter, members } from '../../core/index.js';
import type { ConfigurationChange, RaftCore } from '../../core/index.js';
import type { SimulatedNode } from './simulated-node.js';

export interface OperatorOptions {
  readonly nodes: readonly SimulatedNode[];
  readonly rng: Rng;
  readonly count: (what: string) => void;
}

/** Changes the membership as people do, and replaces a node whose disk is lost. */
export class Operator {
  constructor(private readonly options: OperatorOptions) {}

  /** Wants some change of the leader. */
  change(leader: SimulatedNode | undefined): void {
    const { count } = this.options;
    if (!leader?.core) return;
    const { voters, learners } = leader.core.status.configuration;
    const change = this.#urgent(leader.core) ?? this.#anyChange(voters, learners);
    const outcome = leader.core.change(change);
    if (outcome.ok && (change.addVoters ?? []).some((id) => learners.includes(id))) {
      count('learner made a voter');
    }
    count(outcome.ok ? 'configuration proposed' : `change refused: ${outcome.reason}`);
    leader.flush();
  }

  transfer(leader: SimulatedNode | undefined): void {
    leader?.core?.transfer(this.#anyNode().id);
    leader?.flush();
  }

  /**
   * Whether all agree on a configuration that can do without this node, and go on from there: also
   * after a crash, as the last voter may not have written yet what the one that leaves has written.
   */
  canDoWithout(node: SimulatedNode): boolean {
    const { nodes } = this.options;
    if (nodes.some(({ broken }) => broken)) return false;
    const newest = nodes.flatMap((each) => [each.newestConfiguration, each.durableConfiguration]);
    const known = newest.filter(({ voters }) => voters.length > 0);
    const [first] = known;
    if (first === undefined || isJoint(first)) return false;
    const printed = new Set(known.map((each) => encodeConfiguration(each).join()));
    return printed.size === 1 && (!isVoter(first, node.id) || first.voters.length > 2);
  }

  /** Whether the broken node is no member any more: then its id may come back with an empty folder. */
  mayReplace(node: SimulatedNode, leader: SimulatedNode | undefined): boolean {
    if (!leader?.core || !this.#leads(leader.core)) return false;
    const { commit, configuration } = leader.core.status;
    const committed = leader.core.markAt(commit).configuration;
    return [configuration, committed].every((each) => !members(each).includes(node.id));
  }

  /** Whether nobody knows of a later term. */
  #leads(core: RaftCore): boolean {
    const terms = this.options.nodes.map((node) => node.core?.status.term ?? 0);
    return Math.max(...terms) === core.status.term;
  }

  /** A broken node leaves before anything else is done; one that replaced it joins soon. */
  #urgent({ status }: RaftCore): ConfigurationChange | null {
    const { nodes, rng } = this.options;
    const broken = nodes.find((each) => each.broken);
    if (broken !== undefined) return { remove: [broken.id] };
    const { learners } = status.configuration;
    const replaced = nodes.find(
      ({ id, replacements }) => replacements > 0 && !isVoter(status.configuration, id),
    );
    if (replaced === undefined || rng.below(2) === 0) return null;
    const { id } = replaced;
    return learners.includes(id) ? { addVoters: [id] } : { addLearners: [id] };
  }

  #anyChange(voters: readonly string[], learners: readonly string[]): ConfigurationChange {
    const { rng } = this.options;
    const node = this.#anyNode().id;
    // Only who learns already may become a voter.
    const learner = learners[rng.below(Math.max(1, learners.length))] ?? node;
    const kind = rng.below(4);
    if (kind === 0 && voters.length > 1) return { remove: [node] };
    if (kind === 1) return { addLearners: [node] };
    if (kind === 2 && voters.length > 1) return { addVoters: [learner], remove: [node] };
    return { addVoters: [learner] };
  }

  #anyNode(): SimulatedNode {
    const { nodes, rng } = this.options;
    return nodes[rng.below(nodes.length)] as SimulatedNode;
  }
}
