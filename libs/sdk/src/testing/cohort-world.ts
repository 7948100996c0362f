import type { Snapshot, SnapshotInput, SnapshotRelease } from '@pawl/contracts';
import { ApplierWorld } from './applier-world.js';
import { ADDRESS, asReceived, makeRelease, makeSnapshot } from './make-snapshot.js';
import type { SnapshotRecipe } from './make-snapshot.js';

/** A release that reaches these slots. */
export function reaching(id: string, address: string, ...slots: number[]): SnapshotRelease {
  const named = slots.map((slot) => `checkout/${slot}`);
  return makeRelease(id, 0, { address, stages: [{ basisPoints: 0, named }] });
}

export function layer(
  definitionVersion: number,
  extra: Partial<SnapshotInput> = {},
): SnapshotInput {
  return {
    ...{ address: ADDRESS, definitionVersion, releaseVersion: 1, loweredAt: null },
    ...extra,
  };
}

/** Definition version 1 for all but slots 1 and 3, which are candidates of 2. */
export function staged(version: number, change: Partial<SnapshotRecipe> = {}): Snapshot {
  return makeSnapshot({
    ...{ version, inputs: [layer(1, { candidate: 2 })] },
    ...{ releases: [reaching('r1', ADDRESS, 1, 3)] },
    ...{ document: { version }, cohorts: { r1: { version, new: true } } },
    ...change,
  });
}

/** A consumer, and what it reads. */
export class CohortWorld extends ApplierWorld {
  stream = staged(1);

  /** That is what the stream holds from now on, and it is read. */
  read(snapshot = this.stream): void {
    this.stream = snapshot;
    this.give({ kind: 'read', snapshot: asReceived(snapshot) });
    this.settle();
  }

  /** The owner leases a slot; where that has the stream read, it is. */
  lease(slot: number | null): void {
    const before = this.reads;
    this.give({ kind: 'leased', slot });
    this.settle();
    if (this.reads > before) this.read();
  }

  /** Version, cohort, and whether it is the candidates' document, of all that was applied. */
  ran(): readonly unknown[] {
    return this.applied.map(({ head, document }) => [
      head.version,
      head.cohort,
      'new' in document!,
    ]);
  }
}
