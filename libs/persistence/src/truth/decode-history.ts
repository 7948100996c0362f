import type { AddressText, ReleaseEnd } from '@pawl/contracts';
import type { IdempotencyRecord, StoredHistoryEntry } from '@pawl/engine';
import { toSafeInteger } from '../entities/transformers.js';
import { decodeOrigin } from './decode-origin.js';
import type { OriginRow } from './decode-origin.js';

export interface HistoryRow extends OriginRow {
  readonly sequence: string;
  readonly address: AddressText;
  readonly at: Date;
  readonly author: string;
  readonly kind: 'definition' | 'release';
  readonly version: string | null;
  readonly release_version: string | null;
  readonly action: string | null;
  readonly message: string | null;
  readonly reason: string | null;
  readonly forced: boolean;
  readonly release_id: string | null;
  readonly policy_address: AddressText | null;
  readonly policy_version: string | null;
  readonly ended: ReleaseEnd | null;
}

export interface IdempotencyRow {
  readonly key: string;
  readonly root: string;
  readonly request_hash: string;
  readonly status: number;
  readonly body: string;
  readonly created_at: Date;
}

export function decodeHistory(row: HistoryRow): StoredHistoryEntry {
  const { version, release_version: releaseVersion, action, message, reason } = row;
  return {
    sequence: row.sequence,
    address: row.address,
    at: row.at.toISOString(),
    author: row.author,
    kind: row.kind,
    ...(version === null ? {} : { version: toSafeInteger(version) }),
    ...(releaseVersion === null ? {} : { releaseVersion: toSafeInteger(releaseVersion) }),
    ...(action === null ? {} : { action }),
    ...(message === null ? {} : { message }),
    ...(reason === null ? {} : { reason }),
    ...(row.forced ? { forced: true } : {}),
    ...decodeOrigin(row),
    ...decodeRelease(row),
  };
}

function decodeRelease(
  row: HistoryRow,
): Pick<StoredHistoryEntry, 'releaseId' | 'policyVersion' | 'ended'> {
  const { release_id: releaseId, policy_address: address, policy_version: version, ended } = row;
  return {
    ...(releaseId === null ? {} : { releaseId }),
    ...(address === null || version === null
      ? {}
      : { policyVersion: { address, version: toSafeInteger(version) } }),
    ...(ended === null ? {} : { ended }),
  };
}

export function decodeIdempotent(row: IdempotencyRow): IdempotencyRecord {
  return {
    key: row.key,
    root: row.root,
    requestHash: row.request_hash,
    status: row.status,
    body: row.body,
  };
}
