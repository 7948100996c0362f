import { createHash } from 'node:crypto';
import type { AddressText } from '@pawl/contracts';
import { INITIAL_RELEASE } from '@pawl/domain';
import type { ReleaseState } from '@pawl/domain';
import { NO_CHANGES } from '@pawl/engine';
import type {
  Changeset,
  Fence,
  FencingToken,
  HistoryEntry,
  IdempotencyRecord,
  NewDefinition,
  NewRelease,
  NewSnapshot,
} from '@pawl/engine';

/** Builders for the parts of a changeset, with every field set to something that is seen again. */

export const AT = '2026-03-04T05:06:07.089Z';

export function fenceOf(shard: number, token: number | bigint): Fence {
  return { shard, token: BigInt(token) as FencingToken };
}

export function at(text: string): AddressText {
  return text as AddressText;
}

export function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

export function changeset(parts: Partial<Changeset>): Changeset {
  return { ...NO_CHANGES, root: 'acme', idempotency: null, ...parts };
}

export function definition(
  address: string,
  version: number,
  parts: Partial<NewDefinition> = {},
): NewDefinition {
  const text = `{"version":${version}}`;
  return {
    address: at(address),
    version,
    document: { text, hash: hashOf(text) },
    schema: null,
    author: 'ann',
    createdAt: AT,
    ...parts,
  };
}

export function schema(text: string): { hash: string; text: string } {
  return { hash: hashOf(text), text };
}

export function release(
  address: string,
  releaseVersion: number,
  parts: Partial<ReleaseState> = {},
): NewRelease {
  return { address: at(address), next: { ...INITIAL_RELEASE, releaseVersion, ...parts } };
}

export function snapshot(
  address: string,
  version: number,
  parts: Partial<NewSnapshot> = {},
): NewSnapshot {
  return {
    address: at(address),
    generation: 1,
    version,
    hash: hashOf(`${address}@${version}`),
    inputs: [{ address, definitionVersion: 1, releaseVersion: 1, loweredAt: null }],
    variant: { hash: hashOf('{}'), size: 2, absent: false },
    releases: [],
    cohorts: {},
    ...parts,
  };
}

export function written(address: string, version: number): HistoryEntry {
  return { address: at(address), at: AT, author: 'ann', kind: 'definition', version };
}

export function record(key: string, parts: Partial<IdempotencyRecord> = {}): IdempotencyRecord {
  return {
    key,
    root: 'acme',
    requestHash: hashOf(key),
    status: 201,
    body: '{"version":1}',
    ...parts,
  };
}
