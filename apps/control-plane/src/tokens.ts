/** Injection token of the `ConfigEngine`: the use-cases behind every controller. */
export const CONFIG_ENGINE = Symbol('ConfigEngine');

/** Injection token of {@link QuorumMembers}. */
export const QUORUM_MEMBERS = Symbol('QuorumMembers');
