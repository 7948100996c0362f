import { shardOf } from '@pawl/contracts';
import type { AddressText } from '@pawl/contracts';
import type { Fence, FencingToken } from '../sharding/fence.js';
import { NO_CHANGES } from '../sharding/truth-store.port.js';
import type {
  Changeset,
  CommitOutcome,
  NewDefinition,
  NewSnapshot,
  TruthStore,
} from '../sharding/truth-store.port.js';
import { expectSame } from './conformance.js';

/** A store without any data, and how many shards its installation has. */
export interface TruthSubject {
  readonly truth: TruthStore;
  readonly shards: number;
}

export const AT = '2026-01-02T03:04:05.678Z';
export const HASH = 'a'.repeat(64);
export const text = (value: string): AddressText => value as AddressText;

export function fenceOf(subject: TruthSubject, root: string, token: bigint): Fence {
  return { shard: shardOf(root, subject.shards), token: token as FencingToken };
}

export async function owned(subject: TruthSubject, root: string, token = 10n): Promise<Fence> {
  const fence = fenceOf(subject, root, token);
  expectSame(await subject.truth.raiseFence(fence, 'node-1'), 'raised', 'a first fence is raised');
  return fence;
}

export function expectCommitted(outcome: CommitOutcome, what: string): void {
  expectSame(outcome.kind, 'committed', what);
}

export function changes(root: string, some: Partial<Changeset>): Changeset {
  return { ...NO_CHANGES, root, idempotency: null, ...some };
}

export function definition(
  address: string,
  version: number,
  document: string | null,
): NewDefinition {
  return {
    address: text(address),
    version,
    document: document === null ? null : { text: document, hash: HASH },
    schema: null,
    author: 'ada',
    createdAt: AT,
  };
}

export function snapshot(address: string, version: number, generation = 1): NewSnapshot {
  const inputs = [
    { address, definitionVersion: 1, releaseVersion: 1, loweredAt: null, forced: true as const },
  ];
  const variant = { hash: HASH, size: 2, absent: false };
  return {
    ...{ address: text(address), generation, version, hash: HASH, inputs, variant },
    ...{ releases: [], cohorts: {} },
  };
}
