import { pushText, snapshotText } from '@pawl/contracts';
import type { Address, Prepare, Snapshot, Subjects } from '@pawl/contracts';
import type { ContentCollection, PublishOutcome, SnapshotPublisher } from '@pawl/engine';
import type { Clock } from '@pawl/kernel';
import { describeError } from '../connection/logger.js';
import type { DistributionLogger } from '../connection/logger.js';
import type { NatsLink } from '../connection/nats-link.js';
import { ContentCollector } from './content-collector.js';
import { ContentStore } from './content-store.js';
import { JetStreamAccess } from './jetstream-access.js';
import { SnapshotStore } from './snapshot-store.js';
import { wantedStreams } from './stream-config.js';
import type { StorageLimits } from './stream-config.js';
import { StreamKeeper } from './stream-keeper.js';

export interface JetStreamSnapshotPublisherOptions {
  readonly link: NatsLink;
  readonly subjects: Subjects;
  /** `<name>/<id>`: streams and snapshots of another installation are neither read nor respected. */
  readonly installation: string;
  /** `<name>/<id>` of an installation that is gone for good: its streams are emptied and taken. */
  readonly adopt?: string;
  readonly storage: StorageLimits;
  /** Deadline of one request to JetStream. */
  readonly requestTimeoutMs: number;
  readonly clock: Clock;
  readonly logger: DistributionLogger;
}

/**
 * The distribution on JetStream, nats-server 2.9 or later. Usable before NATS is: every call then
 * throws `DistributionUnavailableError`, and listeners of `onRestored` are called once it answers.
 */
export class JetStreamSnapshotPublisher implements SnapshotPublisher {
  readonly #keeper: StreamKeeper;
  readonly #contents: ContentStore;
  readonly #collector: ContentCollector;
  readonly #snapshots: SnapshotStore;

  constructor(private readonly options: JetStreamSnapshotPublisherOptions) {
    const { link, subjects, installation, adopt, clock, logger } = options;
    const access = new JetStreamAccess(link, options.requestTimeoutMs);
    const wanted = wantedStreams(subjects, installation, options.storage);
    const { replicas: copies } = options.storage;
    this.#keeper = new StreamKeeper({ link, access, wanted, copies, installation, adopt, logger });
    const common = { access, keeper: this.#keeper, subjects, clock, logger };
    this.#contents = new ContentStore(common);
    this.#collector = new ContentCollector({ ...common, contents: this.#contents });
    this.#snapshots = new SnapshotStore({ ...common, installation });
  }

  /** Also throws `StreamSetupError` when the streams cannot be as they must. */
  prepare(): Promise<void> {
    return this.#keeper.ensure();
  }

  /** Connected, and the streams were there and right when last looked at. */
  healthy(): boolean {
    return this.#keeper.ready;
  }

  /** Why nothing can be published now, for operators; `null` while healthy. */
  get problem(): string | null {
    if (this.#keeper.ready) return null;
    return this.#keeper.problem?.message ?? 'does not answer';
  }

  /** Why the death of one NATS server may stop all publication; `null`: as far as is known it may not. */
  get shortOfCopies(): string | null {
    return this.#keeper.shortOfCopies;
  }

  /** Whether the streams are known to be another installation's. */
  get foreign(): boolean {
    return this.#keeper.foreign;
  }

  storeContent(root: string, hash: string, text: string): Promise<void> {
    return this.#contents.store(root, hash, text);
  }

  keepContent(root: string, hash: string, text: string): Promise<void> {
    return this.#contents.keep(root, hash, text);
  }

  publish(address: Address, snapshot: Snapshot): Promise<PublishOutcome> {
    return this.#snapshots.publish(address, snapshot, snapshotText(snapshot));
  }

  /** Carries the snapshot itself when it is all that a consumer needs. Lost while NATS is down. */
  push(address: Address, snapshot: Snapshot): void {
    const message = pushText(snapshot, snapshotText(snapshot));
    this.#send(this.options.subjects.push(address), message, 'a push was not sent');
  }

  askToPrepare(address: Address, message: Prepare): void {
    const subject = this.options.subjects.prepare(address);
    this.#send(subject, JSON.stringify(message), 'consumers were not asked');
  }

  read(address: Address): Promise<Snapshot | undefined> {
    return this.#snapshots.read(address);
  }

  remove(address: Address, token: bigint): Promise<void> {
    return this.#snapshots.remove(address, token);
  }

  collectContents(root: string, collection: ContentCollection): Promise<number> {
    return this.#collector.collect(root, collection);
  }

  /** A listener that throws is logged; the others are still called. */
  onRestored(listener: () => void): void {
    this.#keeper.onRestored(() => {
      try {
        listener();
      } catch (error) {
        this.options.logger.error({ error: describeError(error) }, 'a listener threw');
      }
    });
  }

  /** Stops what runs in the background; the link is closed by whoever opened it. */
  close(): void {
    this.#keeper.close();
  }

  #send(subject: string, message: string, otherwise: string): void {
    try {
      this.options.link.connection?.publish(subject, message);
    } catch (error) {
      this.options.logger.warn({ subject, error: describeError(error) }, otherwise);
    }
  }
}
