import { isHigher, snapshotHash } from '@pawl/contracts';
import type { Address, Snapshot, Subjects } from '@pawl/contracts';
import { sha256 } from '@pawl/contracts/node';
import { parseMessage } from '@pawl/contracts/validate';
import { DistributionUnavailableError } from '@pawl/engine';
import type { PublishOutcome } from '@pawl/engine';
import type { DistributionLogger } from '../connection/logger.js';
import type { JetStreamAccess, StoredMessage } from './jetstream-access.js';
import type { StreamKeeper } from './stream-keeper.js';

/** Somebody else stored on the subject between our read and our write, each time. */
const ATTEMPTS = 8;

interface SnapshotStoreOptions {
  readonly access: JetStreamAccess;
  readonly keeper: StreamKeeper;
  readonly subjects: Subjects;
  /** `<name>/<id>`: what is not of it may be overwritten. */
  readonly installation: string;
  readonly logger: DistributionLogger;
}

/** What a subject holds: a snapshot, or something else that may be overwritten, or nothing. */
interface Held {
  /** Sequence to expect when overwriting; 0 for nothing. */
  readonly sequence: number;
  readonly snapshot: Snapshot | undefined;
}

/**
 * Keeps the newest snapshot per address. Each write first reads what the stream's leader holds and
 * expects just that, so no sequence is ever remembered: one from a stream that was deleted and made
 * anew could fit by chance.
 */
export class SnapshotStore {
  constructor(private readonly options: SnapshotStoreOptions) {}

  /** See `SnapshotPublisher.publish`. `text` is the snapshot as JSON. */
  publish(address: Address, snapshot: Snapshot, text: string): Promise<PublishOutcome> {
    const subject = this.options.subjects.snapshot(address);
    const stream = this.options.subjects.snapshotStream;
    return this.options.keeper.run(`publishing ${subject}`, async () => {
      for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
        const held = await this.#held(address);
        if (held.snapshot !== undefined && !isHigher(snapshot, held.snapshot)) {
          return isSame(snapshot, held.snapshot)
            ? { kind: 'same' }
            : { kind: 'conflict', held: held.snapshot };
        }
        const expected = { stream, sequence: held.sequence };
        if (await this.options.access.store(subject, text, expected)) return { kind: 'stored' };
      }
      throw new DistributionUnavailableError(`${subject} changed at every attempt to store it`);
    });
  }

  /** See `SnapshotPublisher.read`. */
  async read(address: Address): Promise<Snapshot | undefined> {
    const subject = this.options.subjects.snapshot(address);
    const held = await this.options.keeper.run(`reading ${subject}`, () => this.#held(address));
    return held.snapshot;
  }

  /** See `SnapshotPublisher.remove`. What another owner has stored, or stores meanwhile, stays. */
  remove(address: Address, token: bigint): Promise<void> {
    const { access, keeper, subjects } = this.options;
    const subject = subjects.snapshot(address);
    const stream = subjects.snapshotStream;
    return keeper.run(`removing ${subject}`, async () => {
      const { sequence, snapshot } = await this.#held(address);
      if (snapshot !== undefined && BigInt(snapshot.fencingToken) > token) return;
      if (sequence > 0) await access.purgeSubject(stream, subject, sequence);
    });
  }

  /**
   * A snapshot of another installation may mean that the streams were taken from us a moment ago:
   * the server's word on it may still be under way.
   */
  async #held(address: Address): Promise<Held> {
    const { access, keeper, subjects, installation, logger } = this.options;
    const subject = subjects.snapshot(address);
    const message = await access.newest(subjects.snapshotStream, subject);
    if (message === undefined) return { sequence: 0, snapshot: undefined };
    const parsed = parseSnapshot(message, address);
    let reason = typeof parsed === 'string' ? parsed : undefined;
    if (typeof parsed !== 'string') {
      if (parsed.installation === installation)
        return { sequence: message.sequence, snapshot: parsed };
      await keeper.ensure();
      reason = `it belongs to installation ${parsed.installation}`;
    }
    logger.warn({ subject, reason }, 'not a snapshot of ours; it will be overwritten');
    return { sequence: message.sequence, snapshot: undefined };
  }
}

/** The snapshot, or what is wrong with it. */
function parseSnapshot(message: StoredMessage, address: Address): Snapshot | string {
  const parsed = parseMessage('snapshot', parseJsonOrUndefined(message.data));
  if (!parsed.ok) return parsed.message;
  const snapshot = parsed.value;
  if (snapshot.address !== address.text) return `it speaks of ${snapshot.address}`;
  if (!hasOwnHash(snapshot)) return 'its hash is not that of its content';
  return snapshot;
}

function hasOwnHash(snapshot: Snapshot): boolean {
  try {
    return snapshotHash(snapshot, sha256) === snapshot.hash;
  } catch {
    return false;
  }
}

function parseJsonOrUndefined(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8')) as unknown;
  } catch {
    return undefined;
  }
}

function isSame(a: Snapshot, b: Snapshot): boolean {
  return a.generation === b.generation && a.version === b.version && a.hash === b.hash;
}
