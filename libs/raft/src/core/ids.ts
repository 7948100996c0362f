/** Name of a node; never empty. */
export type NodeId = string;

/**
 * Terms and log indexes are positive safe integers (0 means none). At a million entries a second
 * indexes last for 140 years; on disk they take 64 bits.
 */
export type Term = number;
export type LogIndex = number;

/**
 * An election every millisecond takes 8,900 years to get here. A message of a later term is damage,
 * and following it would end all elections: 2^53 is not far.
 */
export const MAX_TERM = 2 ** 48;
/** Leaves room to add to an index without leaving the safe integers. */
export const MAX_INDEX = 2 ** 52;
