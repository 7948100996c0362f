import type { Answer, Int64, KeyValue } from './messages.js';

/* The messages of `v3lockpb` and `v3electionpb`, as `messages.ts` has those of the others. */

export interface LockRequest {
  readonly name: Buffer;
  /** 0: the server grants one. */
  readonly lease: Int64;
}

export interface LockResponse extends Answer {
  /** Holds the lock as long as it is there. */
  readonly key: Buffer;
}

export interface UnlockRequest {
  readonly key: Buffer;
}

/** Whoever has it leads as long as the key is there, created at this revision. */
export interface LeaderKey {
  readonly name: Buffer;
  readonly key: Buffer;
  readonly rev: Int64;
  readonly lease: Int64;
}

export interface CampaignRequest extends LockRequest {
  readonly value: Buffer;
}

export interface CampaignResponse extends Answer {
  readonly leader: LeaderKey;
}

export interface ProclaimRequest {
  readonly leader: LeaderKey | null;
  readonly value: Buffer;
}

export interface LeaderRequest {
  readonly name: Buffer;
}

export interface LeaderResponse extends Answer {
  readonly kv: KeyValue;
}

export interface ResignRequest {
  readonly leader: LeaderKey | null;
}
