import { address, FORMAT, snapshotHash } from '@pawl/contracts';
import type { JsonObject, Snapshot } from '@pawl/contracts';
import { sha256 } from '@pawl/contracts/node';

export interface SampleSnapshot {
  readonly at?: string;
  readonly installation?: string;
  readonly generation?: number;
  readonly version?: number;
  /** Decimal. */
  readonly fencingToken?: string;
  /** Tells apart snapshots of one version: part of the hash. */
  readonly mark?: string;
  /** Inline content; `null`: absent; a string: stored apart, under the string's hash. */
  readonly content?: JsonObject | string | null;
}

/** A well-formed snapshot that says what a test needs. */
export function sampleSnapshot(options: SampleSnapshot = {}): Snapshot {
  const { at = 'acme/prod', generation = 1, version = 1, mark = '', content = {} } = options;
  const { text } = address(at);
  const bytes = typeof content === 'string' ? content : JSON.stringify(content);
  const kind = content === null ? { absent: true as const } : { inline: content as JsonObject };
  const snapshot = {
    format: FORMAT,
    installation: options.installation ?? 'main/one',
    address: text,
    generation,
    version,
    fencingToken: options.fencingToken ?? '1',
    publishedAt: '2026-01-02T03:04:05.678Z',
    inputs: [
      { address: text + mark, definitionVersion: 1, releaseVersion: version, loweredAt: null },
    ],
    releases: [],
    variants: {
      '': {
        hash: sha256(content === null ? '' : bytes),
        size: content === null ? 0 : Buffer.byteLength(bytes),
        ...(typeof content === 'string' ? {} : kind),
      },
    },
  } as const;
  return { ...snapshot, hash: snapshotHash(snapshot, sha256) };
}
