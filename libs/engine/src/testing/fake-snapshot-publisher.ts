import { pushOf, isHigher } from '@pawl/contracts';
import type { Address, AddressText, Prepare, Push, Snapshot } from '@pawl/contracts';
import type { Clock } from '@pawl/kernel';
import { DistributionUnavailableError } from '../publication/snapshot-publisher.port.js';
import type {
  ContentCollection,
  PublishOutcome,
  SnapshotPublisher,
} from '../publication/snapshot-publisher.port.js';
import { rootOf } from './fake-truth-rows.js';

/** JetStream in memory; held to the real one by the conformance suite. */
export class FakeSnapshotPublisher implements SnapshotPublisher {
  readonly snapshots = new Map<AddressText, Snapshot>();
  readonly contents = new Map<string, string>();
  readonly #storedAtMs = new Map<string, number>();
  /** Called with what subscribers of an address would get. */
  onPush: (push: Push) => void = () => undefined;
  /** The same of what they are asked. */
  onPrepare: (message: Prepare) => void = () => undefined;
  /** While false, every call fails as if NATS were down. */
  up = true;
  readonly #listeners: (() => void)[] = [];

  constructor(private readonly clock: Clock) {}

  async prepare(): Promise<void> {
    this.#check();
  }

  healthy(): boolean {
    return this.up;
  }

  async storeContent(root: string, hash: string, text: string): Promise<void> {
    this.#check();
    this.contents.set(`${root}/${hash}`, text);
    this.#storedAtMs.set(`${root}/${hash}`, this.clock.wallMs());
  }

  async keepContent(root: string, hash: string, text: string): Promise<void> {
    if (!this.contents.has(`${root}/${hash}`)) return this.storeContent(root, hash, text);
    this.#check();
  }

  async publish(address: Address, snapshot: Snapshot): Promise<PublishOutcome> {
    this.#check();
    const held = this.snapshots.get(address.text);
    if (held !== undefined && !isHigher(snapshot, held)) {
      const same =
        held.generation === snapshot.generation &&
        held.version === snapshot.version &&
        held.hash === snapshot.hash;
      return same ? { kind: 'same' } : { kind: 'conflict', held };
    }
    this.snapshots.set(address.text, snapshot);
    return { kind: 'stored' };
  }

  push(_address: Address, snapshot: Snapshot): void {
    if (this.up) this.onPush(pushOf(snapshot));
  }

  askToPrepare(_address: Address, message: Prepare): void {
    if (this.up) this.onPrepare(message);
  }

  async read(address: Address): Promise<Snapshot | undefined> {
    this.#check();
    return this.snapshots.get(address.text);
  }

  async remove(address: Address, token: bigint): Promise<void> {
    this.#check();
    const held = this.snapshots.get(address.text);
    if (held !== undefined && BigInt(held.fencingToken) > token) return;
    this.snapshots.delete(address.text);
  }

  async collectContents(
    root: string,
    { referenced, olderThanMs, isOwner }: ContentCollection,
  ): Promise<number> {
    this.#check();
    const named = new Set(
      [...this.snapshots.values()]
        .filter(({ address }) => rootOf(address as AddressText) === root)
        .flatMap(({ variants }) => Object.values(variants).map(({ hash }) => hash)),
    );
    const gone = [...this.contents.keys()].filter(
      (key) =>
        key.startsWith(`${root}/`) &&
        !referenced.has(key.slice(root.length + 1)) &&
        !named.has(key.slice(root.length + 1)) &&
        this.clock.wallMs() - (this.#storedAtMs.get(key) ?? 0) >= olderThanMs,
    );
    if (gone.length === 0 || !(await isOwner())) return 0;
    for (const key of gone) this.contents.delete(key);
    return gone.length;
  }

  onRestored(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** NATS is back, and may have lost what it held. */
  restore(lost: boolean): void {
    this.up = true;
    if (lost) {
      this.snapshots.clear();
      this.contents.clear();
    }
    for (const listener of this.#listeners) listener();
  }

  #check(): void {
    if (!this.up) throw new DistributionUnavailableError('NATS does not answer');
  }
}
