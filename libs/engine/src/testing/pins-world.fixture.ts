import { heldBy, judgeSnapshot } from '@pawl/contracts';
import type { AddressText, ConsumerIdentity, HeldSnapshot, ReleaseRequest } from '@pawl/contracts';
import { expect } from 'vitest';
import { HOUR_MS, StagedWorld } from './staged-world.fixture.js';
import { claimedWorld, code } from './engine-world.fixture.js';

export const DAY_MS = 24 * HOUR_MS;

/** A consumer of every cohort that the specs have. */
const EVERYONE: readonly ConsumerIdentity[] = [
  { workload: 'shop', slot: null, labels: {} },
  ...[0, 1, 2].map((slot) => ({ workload: 'shop', slot, labels: {} })),
];

/** A staged world in which addresses are pinned, and consumers judge all that is published. */
export class PinsWorld extends StagedWorld {
  readonly #held = new Map<string, HeldSnapshot>();

  /** Answers `ok`, or the problem's code. */
  pin(at: string, ancestor: string, more: Partial<ReleaseRequest> = {}): Promise<string> {
    const ends = more.until === undefined ? { expireMs: DAY_MS } : {};
    const request = { action: 'pin', ancestor, reason: 'it is sick', ...ends, ...more };
    return this.world.release(at, request).then(code);
  }

  unpin(at: string, ancestor: string, more: Partial<ReleaseRequest> = {}): Promise<string> {
    return this.world.release(at, { action: 'unpin', ancestor, ...more }).then(code);
  }

  /** The version of a layer that consumers in no cohort have at an address, and where it is pinned. */
  async layer(at: string, ancestor: string): Promise<readonly [number | null, string?]> {
    const { inputs } = await this.whole(at);
    const input = inputs.find(({ address }) => address === ancestor);
    const { definitionVersion = null, pinnedAt } = input ?? {};
    return pinnedAt === undefined ? [definitionVersion] : [definitionVersion, pinnedAt];
  }

  /** Everybody judges what is published everywhere, and takes it. */
  async look(): Promise<void> {
    await this.world.settle();
    for (const [at, snapshot] of this.world.publisher.snapshots) {
      for (const identity of EVERYONE) {
        const key = `${at} ${identity.slot}`;
        const options = { installation: 'main/test', identity };
        const judgement = judgeSnapshot(this.#held.get(key) ?? null, snapshot, options);
        expect(['accept', 'same'], `${at}: ${JSON.stringify(judgement)}`).toContain(judgement.kind);
        this.#held.set(key, heldBy(identity, snapshot));
      }
    }
  }

  /** Whether what is published is just what an owner that loads everything anew makes of it. */
  async expectReloaded(): Promise<void> {
    const versions = await this.#versions();
    await this.world.restart();
    expect(await this.#versions()).toEqual(versions);
  }

  async #versions(): Promise<Record<AddressText, readonly unknown[]>> {
    await this.world.settle();
    const all = [...this.world.publisher.snapshots].map(
      ([at, { version, hash }]) => [at, [version, hash]] as const,
    );
    return Object.fromEntries(all);
  }
}

export async function pinsWorld(): Promise<PinsWorld> {
  return new PinsWorld(await claimedWorld());
}
