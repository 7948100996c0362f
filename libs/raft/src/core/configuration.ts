import type { LogIndex, NodeId } from './ids.js';

/**
 * Who takes part. While `outgoing` is not empty the configuration is joint (Raft thesis §4.3): every
 * decision needs a majority of `voters` and one of `outgoing`. Lists are sorted and without repeats.
 */
export interface Configuration {
  readonly voters: readonly NodeId[];
  readonly outgoing: readonly NodeId[];
  /** Receive the log and never vote. */
  readonly learners: readonly NodeId[];
  /** Leave the voters with the end of the joint configuration and are learners from then on. */
  readonly learnersNext: readonly NodeId[];
}

/** One wanted change of the membership, carried out whole. */
export interface ConfigurationChange {
  readonly addVoters?: readonly NodeId[];
  readonly addLearners?: readonly NodeId[];
  readonly remove?: readonly NodeId[];
}

export type VoteResult = 'won' | 'lost' | 'pending';

export function foundedBy(voters: readonly NodeId[]): Configuration {
  return { voters: sorted(voters), outgoing: [], learners: [], learnersNext: [] };
}

export function isJoint(configuration: Configuration): boolean {
  return configuration.outgoing.length > 0;
}

export function isVoter({ voters, outgoing }: Configuration, node: NodeId): boolean {
  return voters.includes(node) || outgoing.includes(node);
}

/** Whether nobody else could lead. */
export function isOnlyVoter({ voters, outgoing }: Configuration, node: NodeId): boolean {
  return [...voters, ...outgoing].every((voter) => voter === node);
}

/** Everybody whom the leader sends the log. */
export function members(configuration: Configuration): readonly NodeId[] {
  const { voters, outgoing, learners, learnersNext } = configuration;
  return sorted([...voters, ...outgoing, ...learners, ...learnersNext]);
}

/**
 * Whether it could have come about by changes: nobody learns and votes, and only who votes until the
 * joint configuration ends becomes a learner with that end.
 */
export function isSoundConfiguration(configuration: Configuration): boolean {
  const { voters, outgoing, learners, learnersNext } = configuration;
  if (learners.some((node) => isVoter(configuration, node))) return false;
  return learnersNext.every((node) => outgoing.includes(node) && !voters.includes(node));
}

/**
 * What `change` makes of a configuration that is not joint: a joint one when voters change, else one
 * that holds at once. `null` when it changes nothing, contradicts itself or leaves no voter.
 */
export function changed(now: Configuration, change: ConfigurationChange): Configuration | null {
  const { addVoters = [], addLearners = [], remove = [] } = change;
  const named = [...addVoters, ...addLearners, ...remove];
  if (isJoint(now) || new Set(named).size !== named.length || named.includes('')) return null;
  const voters = sorted([
    ...now.voters.filter((node) => !remove.includes(node) && !addLearners.includes(node)),
    ...addVoters,
  ]);
  const demoted = addLearners.filter((node) => now.voters.includes(node));
  const learners = sorted([
    ...now.learners.filter((node) => !remove.includes(node) && !addVoters.includes(node)),
    ...addLearners.filter((node) => !now.voters.includes(node)),
  ]);
  if (voters.length === 0) return null;
  const votersChange = !sameNodes(voters, now.voters);
  if (!votersChange && sameNodes(learners, now.learners)) return null;
  return votersChange
    ? { voters, outgoing: now.voters, learners, learnersNext: sorted(demoted) }
    : { voters, outgoing: [], learners, learnersNext: [] };
}

/** What a joint configuration ends in. */
export function settled({ voters, learners, learnersNext }: Configuration): Configuration {
  const all = sorted([...learners, ...learnersNext]);
  return { voters, outgoing: [], learners: all, learnersNext: [] };
}

/** The highest index that a quorum holds, of each majority that counts. */
export function quorumIndex(
  { voters, outgoing }: Configuration,
  heldBy: (node: NodeId) => LogIndex,
): LogIndex {
  const of = (nodes: readonly NodeId[]): LogIndex => {
    if (nodes.length === 0) return Infinity;
    const held = nodes.map(heldBy).sort((a, b) => b - a);
    return held[Math.floor(nodes.length / 2)] ?? 0;
  };
  return Math.min(of(voters), of(outgoing));
}

/** How a vote stands; `undefined` for nodes that have not answered. */
export function voteResult(
  { voters, outgoing }: Configuration,
  voteOf: (node: NodeId) => boolean | undefined,
): VoteResult {
  const of = (nodes: readonly NodeId[]): VoteResult => {
    const needed = Math.floor(nodes.length / 2) + 1;
    const votes = nodes.map(voteOf);
    if (nodes.length === 0 || votes.filter((vote) => vote === true).length >= needed) return 'won';
    const missing = votes.filter((vote) => vote !== false).length;
    return missing < needed ? 'lost' : 'pending';
  };
  const results = [of(voters), of(outgoing)];
  if (results.includes('lost')) return 'lost';
  return results.includes('pending') ? 'pending' : 'won';
}

/** As entries carry it: JSON of ASCII characters only. */
export function encodeConfiguration(configuration: Configuration): Uint8Array {
  const { voters, outgoing, learners, learnersNext } = configuration;
  const json = JSON.stringify({ voters, outgoing, learners, learnersNext });
  const ascii = json.replace(/[\u007f-\uffff]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
  return Uint8Array.from(ascii, (character) => character.charCodeAt(0));
}

/** Throws a `SyntaxError` for what {@link encodeConfiguration} did not write. */
export function decodeConfiguration(data: Uint8Array): Configuration {
  const json = Array.from(data, (byte) => String.fromCharCode(byte)).join('');
  const value = JSON.parse(json) as Record<string, unknown>;
  const listOf = (key: keyof Configuration): readonly NodeId[] => {
    const list = value[key];
    if (!Array.isArray(list) || !list.every((node) => typeof node === 'string' && node !== '')) {
      throw new SyntaxError(`a configuration whose ${key} are no node ids`);
    }
    return sorted(list as NodeId[]);
  };
  return {
    voters: listOf('voters'),
    outgoing: listOf('outgoing'),
    learners: listOf('learners'),
    learnersNext: listOf('learnersNext'),
  };
}

export function sameNodes(a: readonly NodeId[], b: readonly NodeId[]): boolean {
  return a.length === b.length && a.every((node, at) => node === b[at]);
}

function sorted(nodes: readonly NodeId[]): readonly NodeId[] {
  return [...new Set(nodes)].sort();
}
