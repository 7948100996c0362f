/** Name of a node; never empty. */
export type NodeId = string;

/**
 * Terms and log indexes are positive safe integers (0 means none). At a million entries a second
 * they last for 285 years; on disk they take 64 bits.
 */
export type Term = number;
export type LogIndex = number;
