import { canonicalize } from '@pawl/contracts';
import type {
  AddressText,
  JsonObject,
  JsonValue,
  SnapshotInput,
  SnapshotRelease,
} from '@pawl/contracts';
import { sha256 } from '@pawl/contracts/node';
import { PAUSED_BY_RESTORE } from '@pawl/engine';
import type { Changeset } from '@pawl/engine';

export type NewRelease = Changeset['releases'][number]['next'];

export interface KeptDefinition {
  /** The command that wrote it. */
  readonly op: string;
  readonly document: JsonObject | null;
  readonly schema: JsonValue | null;
  /** Of the document, or of `{}`. */
  readonly hash: string;
}

export interface KeptRelease {
  /** The command that made it; empty: the owner did, by himself. */
  readonly op: string;
  readonly next: NewRelease;
}

/** What the consumers of one cohort read. */
export interface KeptVariant {
  /** What its inputs give; null: absent. */
  readonly document: JsonObject | null;
  /** Canonical text of the document, '' where it is absent. */
  readonly text: string;
}

export interface KeptHead {
  readonly generation: number;
  readonly version: number;
  readonly hash: string;
  readonly inputs: readonly SnapshotInput[];
  readonly releases: readonly SnapshotRelease[];
  /** By cohort. */
  readonly variants: ReadonlyMap<string, KeptVariant>;
}

export interface KeptAddress {
  readonly definitions: KeptDefinition[];
  readonly releases: KeptRelease[];
  /** By version. */
  readonly heads: Map<number, KeptHead>;
  head: KeptHead | null;
}

export const NOWHERE: NewRelease = {
  state: 'idle',
  releaseVersion: 0,
  stableVersion: null,
  contributionAt: 0,
  loweredAt: null,
  forced: false,
  blockedVersions: [],
  staged: null,
  queued: null,
  pins: [],
};

/** All that PostgreSQL holds, by a second bookkeeping. */
export class KeptTruth {
  readonly #addresses = new Map<AddressText, KeptAddress>();
  /** Commands that took effect. */
  readonly ops = new Set<string>();
  /** By shard: the highest token that its fence was raised to, and by whom. */
  readonly fences = new Map<number, { readonly token: bigint; readonly owner: string }>();
  /** Releases, and promotes that were queued, that are over. */
  readonly spent = new Set<string>();

  constructor(public generation: number) {}

  of(address: AddressText): KeptAddress {
    const known = this.#addresses.get(address);
    if (known !== undefined) return known;
    const fresh: KeptAddress = { definitions: [], releases: [], heads: new Map(), head: null };
    this.#addresses.set(address, fresh);
    return fresh;
  }

  get addresses(): AddressText[] {
    return [...this.#addresses.keys()].sort();
  }

  copy(): KeptTruth {
    const copy = new KeptTruth(this.generation);
    for (const [address, { definitions, releases, heads, head }] of this.#addresses) {
      copy.#addresses.set(address, {
        definitions: [...definitions],
        releases: [...releases],
        heads: new Map(heads),
        head,
      });
    }
    for (const op of this.ops) copy.ops.add(op);
    for (const id of this.spent) copy.spent.add(id);
    for (const [shard, fence] of this.fences) copy.fences.set(shard, fence);
    return copy;
  }

  /** The release states of what is known on the way from the root, from there down. */
  path(at: AddressText): readonly (readonly [AddressText, NewRelease])[] {
    return this.addresses
      .filter((address) => isOnWay(address, at))
      .sort((one, other) => one.length - other.length)
      .map((address) => [address, this.release(address)]);
  }

  release(address: AddressText): NewRelease {
    return this.of(address).releases.at(-1)?.next ?? NOWHERE;
  }

  /** Where below this address a release in stages is under way. */
  stagedBelow(above: AddressText): readonly AddressText[] {
    const isBelow = (address: AddressText) => address !== above && isOnWay(above, address);
    return this.addresses.filter((at) => isBelow(at) && this.release(at).staged !== null);
  }

  /** A restore was accepted. */
  pauseRolling(isIn: (address: AddressText) => boolean): void {
    for (const address of this.addresses.filter(isIn)) {
      const { staged, ...release } = this.release(address);
      if (release.state !== 'rolling' || staged === null) continue;
      const releaseVersion = release.releaseVersion + 1;
      const paused = { ...staged, pausedFor: PAUSED_BY_RESTORE };
      const next = { ...release, state: 'paused', releaseVersion, staged: paused } as const;
      this.of(address).releases.push({ op: '', next });
    }
  }

  /**
   * The effective document of these layers by a second, simpler merge; null: absent. Below a schema
   * without a document nothing is read until a document comes. Undefined: a layer is not there.
   */
  effective(inputs: readonly SnapshotInput[]): JsonObject | null | undefined {
    let document = null as JsonObject | null;
    let isRead = false;
    for (const { address, definitionVersion } of inputs) {
      if (definitionVersion === null) continue;
      const layer = this.of(address as AddressText).definitions[definitionVersion - 1];
      if (layer === undefined) return undefined;
      isRead = layer.document !== null || (isRead && layer.schema === null);
      if (layer.document !== null) document = { ...(document ?? {}), ...layer.document };
    }
    return isRead ? document : null;
  }
}

/** Whether a layer is one of what is read at an address: of the same document, there or above. */
function isOnWay(layer: AddressText, at: AddressText): boolean {
  const [[above = '', document], [scope = '', own]] = [layer.split(':'), at.split(':')];
  return document === own && (scope === above || scope.startsWith(`${above}/`));
}

export function keptDefinition(
  op: string,
  document: JsonObject | null,
  schema: JsonValue | null,
): KeptDefinition {
  return { op, document, schema, hash: sha256(canonicalize(document ?? {})) };
}
