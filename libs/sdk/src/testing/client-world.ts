import { parseAddress, subjectsOf } from '@pawl/contracts';
import type { Ack, HelloReply, Push, Snapshot } from '@pawl/contracts';
import { sha256 } from '@pawl/contracts/node';
import { ManualTime, seededRng } from '@pawl/kernel';
import type { LastKnownGood } from '../applier/index.js';
import type { LastKnownGoodStore } from '../ports.js';
import { PawlClient } from '../session/pawl-client.js';
import { FakeLink } from './fake-link.js';
import { INSTALLATION, makeSnapshot } from './make-snapshot.js';
import type { SnapshotRecipe } from './make-snapshot.js';

export const SUBJECTS = subjectsOf('main');

export class MemoryStore implements LastKnownGoodStore {
  readonly records = new Map<string, LastKnownGood>();
  load: LastKnownGoodStore['load'] = async ({ text }) => this.records.get(text);
  save: LastKnownGoodStore['save'] = async (record) => {
    this.records.set(record.address, record);
  };
  close: LastKnownGoodStore['close'] = async () => undefined;
}

/** A reply of the control plane that names `newest`. */
export function helloReply(
  newest: HelloReply['newest'],
  extra: Partial<HelloReply> = {},
): HelloReply {
  return {
    format: 1,
    installation: INSTALLATION,
    fencingToken: '5',
    nextHelloMs: 5_000,
    slot: 0,
    newest,
    ...extra,
  };
}

/** Clients over a time moved by hand, a link that lives in the test, and a disk in memory. */
export class ClientWorld {
  readonly time = new ManualTime(1_000);
  readonly store = new MemoryStore();
  link = new FakeLink();

  client(options: Partial<ConstructorParameters<typeof PawlClient>[0]> = {}): PawlClient {
    const { time, link, store } = this;
    return new PawlClient(
      {
        installation: 'main',
        subjects: SUBJECTS,
        identity: {
          consumerId: 'c1',
          incarnation: 'i1',
          labels: { region: 'eu' },
          build: '1.2.3',
        },
        workload: undefined,
        openTimeoutMs: 2_000,
        startTimeoutMs: 10_000,
        validateTimeoutMs: 500,
        staleAfterMs: 30_000,
        ackWindowMs: 100,
        ...options,
      },
      {
        clock: time,
        foreground: time,
        background: time,
        rng: seededRng(1),
        sha256,
        link,
        cache: Promise.resolve(store),
      },
    );
  }

  /** Puts a snapshot into the stream. */
  put(recipe: SnapshotRecipe): Snapshot {
    const snapshot = makeSnapshot(recipe);
    const parsed = parseAddress(snapshot.address);
    if (!parsed.ok) throw new TypeError(parsed.message);
    const key = `${SUBJECTS.snapshotStream} ${SUBJECTS.snapshot(parsed.address)}`;
    this.link.stored.set(key, JSON.stringify(snapshot));
    return snapshot;
  }

  /** Pushes a snapshot on the subject of `acme/prod/checkout`. */
  push(recipe: SnapshotRecipe, carry: 'carried' | 'named' = 'carried'): void {
    const snapshot = makeSnapshot(recipe);
    const { address, generation, version, hash } = snapshot;
    const carried = carry === 'carried' ? { snapshot: { ...snapshot } } : {};
    const message: Push = { format: 1, address, generation, version, hash, ...carried };
    this.link.deliver(`${SUBJECTS.prefix}.push.acme.prod.checkout.config`, message);
  }

  acks(): readonly Ack[] {
    return this.link.published
      .filter(({ subject }) => subject.includes('.ack.'))
      .map(({ message }) => message as Ack);
  }

  /** Lets every promise that can make progress do so. */
  async turns(): Promise<void> {
    for (let turn = 0; turn < 50; turn += 1) await Promise.resolve();
  }

  async after(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 10) {
      this.time.advance(10);
      await this.turns();
    }
  }
}
