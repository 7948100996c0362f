import { ABSENT_HASH } from '../messages/snapshot.message.js';
import type { ReleaseStage, Snapshot, SnapshotRelease } from '../messages/snapshot.message.js';
import { sha256 } from '../node/index.js';
import { snapshotHash } from '../snapshot/snapshot-hash.js';

export const LAYERS = ['acme', 'acme/prod', 'acme/prod/checkout'] as const;
export const INSTALLATION = 'main/0f3c';
/** At most so many staged releases are in flight on a path. */
const IN_FLIGHT = 3;

export const ACTIONS = [
  ...['start', 'start', 'grow', 'grow', 'grow', 'complete', 'abort'],
  ...['promote', 'rollback', 'disable', 'enable'],
] as const;

/** One step of an owner; one that the layer's state does not allow does nothing. */
export interface Step {
  readonly layer: number;
  readonly action: (typeof ACTIONS)[number];
  /** By how many versions a promotion or a rollback goes. */
  readonly by: number;
  /** Whom a release reaches when it starts or grows. */
  readonly stage: ReleaseStage;
}

interface Layer {
  readonly address: string;
  readonly stable: number | null;
  readonly isDisabled: boolean;
  readonly releaseVersion: number;
  readonly loweredAt: number | null;
  readonly staged: { readonly release: SnapshotRelease; readonly candidate: number } | null;
}

/** What an owner publishes over time for the lowest of three layers, by the rules of releases. */
export function stagedHistory(steps: readonly Step[]): readonly Snapshot[] {
  let layers: readonly Layer[] = LAYERS.map((address) => ({
    ...{ address, stable: 3, isDisabled: false, releaseVersion: 1, loweredAt: null, staged: null },
  }));
  const published = [snapshotOf(layers, 1)];
  for (const [at, step] of steps.entries()) {
    const inFlight = layers.filter(({ staged }) => staged !== null).length;
    const before = layers[step.layer]!;
    const id = `r${at}`;
    const change = inFlight < IN_FLIGHT || step.action !== 'start' ? act(before, step, id) : null;
    if (change === null) continue;
    const { lowers = false, ...set } = change;
    const releaseVersion = before.releaseVersion + 1;
    const next: Layer = { ...before, ...set, releaseVersion };
    const layer = lowers ? { ...next, loweredAt: releaseVersion } : next;
    layers = layers.map((each) => (each === before ? layer : each));
    published.push(snapshotOf(layers, published.length + 1));
  }
  return published;
}

type Change = Partial<Pick<Layer, 'stable' | 'isDisabled' | 'staged'>> & {
  readonly lowers?: boolean;
};

function act(layer: Layer, { action, by, stage }: Step, id: string): Change | null {
  const { address, stable, staged, isDisabled } = layer;
  if (action === 'enable') return isDisabled ? { isDisabled: false } : null;
  if (isDisabled) return null;
  switch (action) {
    case 'start': {
      if (staged !== null) return null;
      const release = { id, address, salt: id, stages: [stage] };
      return { staged: { release, candidate: (stable ?? 0) + by } };
    }
    case 'grow': {
      if (staged === null) return null;
      const stages = [...staged.release.stages, stage];
      return { staged: { ...staged, release: { ...staged.release, stages } } };
    }
    case 'complete':
      return staged === null ? null : { stable: staged.candidate, staged: null };
    case 'abort':
      return staged === null ? null : { staged: null, lowers: true };
    case 'promote': {
      const target = (stable ?? 0) + by;
      return { stable: target, staged: null, lowers: (staged?.candidate ?? 0) > target };
    }
    case 'rollback': {
      const target = Math.max(1, (stable ?? 1) - by);
      return { stable: target, staged: null, lowers: true };
    }
    case 'disable':
      return { isDisabled: true, staged: null, lowers: true };
    default:
      throw new TypeError(action);
  }
}

function snapshotOf(layers: readonly Layer[], version: number): Snapshot {
  return signed({
    ...{ format: 1, installation: INSTALLATION, address: LAYERS[2], generation: 1, version },
    ...{ fencingToken: '1', publishedAt: '2026-01-02T03:04:05.678Z' },
    inputs: layers.map(({ address, stable, isDisabled, releaseVersion, loweredAt, staged }) => ({
      ...{ address, definitionVersion: isDisabled ? null : stable, releaseVersion, loweredAt },
      ...(staged === null ? {} : { candidate: staged.candidate }),
    })),
    releases: layers.flatMap(({ staged }) => (staged === null ? [] : [staged.release])),
    variants: { '': { hash: ABSENT_HASH, size: 0, absent: true } },
  });
}

/** With the hash that it is to have. */
export function signed(snapshot: Omit<Snapshot, 'hash'>): Snapshot {
  return { ...snapshot, hash: snapshotHash(snapshot, sha256) };
}
