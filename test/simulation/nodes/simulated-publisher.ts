import { pushText, snapshotText } from '@pawl/contracts';
import type { Address, Prepare, Snapshot, Subjects } from '@pawl/contracts';
import { DistributionUnavailableError } from '@pawl/engine';
import type { PublishOutcome, SnapshotPublisher } from '@pawl/engine';
import { SnapshotStore } from '../../../libs/distribution/src/publication/snapshot-store.js';
import type { NatsConnection, SimulatedNats, SimulatedStream } from './simulated-nats.js';

const REQUEST_MS = 1_000;
const ATTEMPTS = 8;

/** Told of what is stored and sent, at once. */
export interface PublicationWitness {
  stored(subject: string, snapshot: Snapshot): void;
  pushed(snapshot: Snapshot): void;
}

interface Options {
  readonly nats: SimulatedNats;
  readonly connection: NatsConnection;
  readonly subjects: Subjects;
  readonly installation: string;
  readonly witness: PublicationWitness;
}

type StoreOptions = ConstructorParameters<typeof SnapshotStore>[0];

/**
 * The distribution's own store of snapshots over a simulated JetStream: each of its calls (read what
 * is held, store if that is still the last) has a way there and a way back.
 */
export class SimulatedPublisher implements SnapshotPublisher {
  readonly #snapshots: SnapshotStore;
  readonly #restored = new Set<() => void>();

  constructor(private readonly options: Options) {
    const { subjects, installation, connection } = options;
    const quiet = (): void => undefined;
    this.#snapshots = new SnapshotStore({
      access: this.#access() as unknown as StoreOptions['access'],
      keeper: {
        run: <T>(_: string, work: () => Promise<T>) => work(),
        ensure: () => Promise.resolve(),
      } as unknown as StoreOptions['keeper'],
      subjects,
      installation,
      logger: { debug: quiet, info: quiet, warn: quiet, error: quiet },
    });
    connection.onState((state) => {
      if (state !== 'down') for (const listener of this.#restored) listener();
    });
  }

  prepare(): Promise<void> {
    return Promise.resolve();
  }

  healthy(): boolean {
    return this.options.connection.isUp;
  }

  async storeContent(root: string, hash: string, text: string): Promise<void> {
    const { contents } = this.options.nats;
    const subject = this.options.subjects.content(root, hash);
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const held = await this.#call(() => contents.newest(subject));
      if (held?.data === text) return;
      if (await this.#call(() => contents.store(subject, text, held?.sequence ?? 0))) return;
    }
    throw new DistributionUnavailableError(`${subject} changed at every attempt`);
  }

  keepContent(root: string, hash: string, text: string): Promise<void> {
    return this.storeContent(root, hash, text);
  }

  publish(address: Address, snapshot: Snapshot): Promise<PublishOutcome> {
    return this.#snapshots.publish(address, snapshot, snapshotText(snapshot));
  }

  push(address: Address, snapshot: Snapshot): void {
    const { connection, subjects, witness } = this.options;
    const text = pushText(snapshot, snapshotText(snapshot));
    if (connection.publish(subjects.push(address), text)) witness.pushed(snapshot);
  }

  askToPrepare(address: Address, message: Prepare): void {
    const { connection, subjects } = this.options;
    connection.publish(subjects.prepare(address), JSON.stringify(message));
  }

  read(address: Address): Promise<Snapshot | undefined> {
    return this.#snapshots.read(address);
  }

  remove(address: Address, token: bigint): Promise<void> {
    return this.#snapshots.remove(address, token);
  }

  /** Nothing is old enough in the time that a world lasts. */
  collectContents(): Promise<number> {
    return Promise.resolve(0);
  }

  onRestored(listener: () => void): void {
    this.#restored.add(listener);
  }

  /** What the store of snapshots uses of `JetStreamAccess`. */
  #access(): object {
    const { nats, subjects, witness } = this.options;
    const of = (stream: string): SimulatedStream =>
      stream === subjects.snapshotStream ? nats.snapshots : nats.contents;
    return {
      newest: async (stream: string, subject: string) => {
        const held = await this.#call(() => of(stream).newest(subject));
        return held && { ...held, data: Buffer.from(held.data), header: () => '' };
      },
      store: (subject: string, data: string, expected: { stream: string; sequence: number }) =>
        this.#call(() => {
          const stored = of(expected.stream).store(subject, data, expected.sequence);
          if (stored) witness.stored(subject, JSON.parse(data) as Snapshot);
          return stored;
        }),
      purgeSubject: (stream: string, subject: string, upTo: number) =>
        this.#call(() => of(stream).remove(subject, upTo)),
    };
  }

  async #call<T>(work: () => T): Promise<T> {
    try {
      return await this.options.connection.call(work, REQUEST_MS);
    } catch (error) {
      throw new DistributionUnavailableError((error as Error).message, { cause: error });
    }
  }
}
