import { DiscardPolicy, RetentionPolicy, StorageType } from '@nats-io/jetstream';
import type { StreamConfig } from '@nats-io/jetstream';
import type { Subjects } from '@pawl/contracts';

/** How much JetStream may keep; what goes beyond is refused, never evicted. */
export interface StorageLimits {
  /** Copies of each stream: see `wantedCopies`. */
  readonly replicas?: number;
  /** Bytes of all snapshots; unlimited when not given. */
  readonly snapshotBytes?: number;
  /** Bytes of all contents; unlimited when not given. */
  readonly contentBytes?: number;
}

/** The settings of a stream that Pawl relies on; the others are the server's business. */
export type WantedStream = Pick<StreamConfig, 'name'> & Partial<StreamConfig>;

export interface WantedStreams {
  readonly snapshots: WantedStream;
  readonly contents: WantedStream;
}

/** A stream says whose it is in its description: nats-server 2.9 knows no metadata. */
const OWNER = /^Pawl installation (\S+)$/;

/**
 * Both streams keep the newest message per subject and nothing else ever makes one go: a full stream
 * refuses (`discard: new`; on a subject that has a message a smaller one still replaces it: `StoreMsg`
 * of nats-server's filestore). Deleting single messages stays allowed: collection needs it.
 * `installation` is `<name>/<id>`.
 */
export function wantedStreams(
  subjects: Subjects,
  installation: string,
  limits: StorageLimits,
): WantedStreams {
  const common = {
    description: `Pawl installation ${installation}`,
    retention: RetentionPolicy.Limits,
    storage: StorageType.File,
    discard: DiscardPolicy.New,
    max_msgs_per_subject: 1,
    max_msgs: -1,
    max_age: 0,
    max_msg_size: -1,
    allow_direct: true,
    deny_delete: false,
    sealed: false,
  };
  return {
    snapshots: {
      ...common,
      name: subjects.snapshotStream,
      subjects: [subjects.allSnapshots],
      max_bytes: limits.snapshotBytes ?? -1,
    },
    contents: {
      ...common,
      name: subjects.contentStream,
      subjects: [subjects.allContents],
      max_bytes: limits.contentBytes ?? -1,
    },
  };
}

/** The installation, as `<name>/<id>`, that a stream's description names. */
export function ownerIn(description: string | undefined): string | undefined {
  return OWNER.exec(description ?? '')?.[1];
}

/** The settings in which a stream differs from what is wanted. */
export function differences(wanted: WantedStream, actual: StreamConfig): Partial<StreamConfig> {
  const entries = Object.entries(wanted).filter(([key, value]) => {
    const held = (actual as unknown as Record<string, unknown>)[key];
    return JSON.stringify(held) !== JSON.stringify(value);
  });
  return Object.fromEntries(entries);
}
