import { done, refused } from '@pawl/contracts';
import type {
  Address,
  AuditItem,
  DefinitionView,
  DiffView,
  HistoryItem,
  JsonValue,
  MergeOrigin,
  Outcome,
  Page,
} from '@pawl/contracts';
import type { Definition } from '@pawl/domain';
import type { AuditPageQuery, MergeBase, PageQuery } from '../config-engine.js';
import type { EngineContext } from '../engine-context.js';
import type { AddressNode } from '../sharding/root-tree.js';
import type { OwnedRoot } from '../sharding/owned-shard.js';
import { noOwner, truthUnavailable } from '../sharding/refusals.js';
import type { ShardRegistry } from '../sharding/shard-registry.js';
import { storedDefinition } from '../sharding/stored-definition.js';
import { FencedError, TruthUnavailableError } from '../sharding/truth-store.port.js';
import type { AuditQuery, HistoryQuery, StoredHistoryEntry } from '../sharding/truth-store.port.js';
import { diffJson } from './diff-json.js';
import { shownDocument } from './put-definition.js';

const CURSOR = /^[0-9]{1,18}$/;

/** Everything that reads definitions and history. */
export class ReadDefinitions {
  constructor(
    private readonly context: EngineContext,
    private readonly shards: ShardRegistry,
  ) {}

  async config(address: Address, version?: number): Promise<Outcome<DefinitionView>> {
    const found = await this.#definition(address, version);
    if (!found.ok) return found;
    const definition = found.value;
    const shown = shownDocument(this.context, definition);
    const { author, createdAt, message, origin, schema } = definition;
    return done({
      address: address.text,
      version: definition.version,
      document: shown.value,
      ...(schema === null ? {} : { schema: schema.schema }),
      ...(definition.document === null ? { abstract: true as const } : {}),
      hash: shown.hash,
      author,
      createdAt,
      ...(message === undefined ? {} : { message }),
      ...(origin === undefined ? {} : { origin }),
    });
  }

  async schema(
    address: Address,
    version?: number,
  ): Promise<Outcome<{ readonly version: number; readonly schema: JsonValue }>> {
    const found = await this.#definition(address, version);
    if (!found.ok) return found;
    const { schema } = found.value;
    if (schema === null) return refused('not-found', `${address.text} has no schema of its own`);
    return done({ version: found.value.version, schema: schema.schema });
  }

  async diff(address: Address, from: number, to: number): Promise<Outcome<DiffView>> {
    const [before, after] = [
      await this.#definition(address, from),
      await this.#definition(address, to),
    ];
    if (!before.ok) return before;
    if (!after.ok) return after;
    const patch = diffJson(
      shownDocument(this.context, before.value).value,
      shownDocument(this.context, after.value).value,
    );
    return done({ from, to, patch });
  }

  /** The newest version at an address (0: none), and where the newest came from that is from there. */
  async mergeBase(address: Address, from: Address): Promise<Outcome<MergeBase>> {
    const place = this.shards.find(address);
    const version = place?.node.newest?.version ?? 0;
    if (place === undefined || version === 0) {
      return this.shards.serves(address.root) ? done({ version: 0 }) : noOwner();
    }
    const { root } = place;
    const read = (): Promise<MergeOrigin | undefined> =>
      this.context.truth.readOrigin(root.shard, address.text, from.text);
    const found = await this.#fenced(root, read);
    if (!found.ok) return found;
    return done(found.value === undefined ? { version } : { version, origin: found.value });
  }

  history(address: Address, query: PageQuery): Promise<Outcome<Page<HistoryItem>>> {
    return this.#page(query, async (historyQuery) => {
      const place = this.shards.find(address);
      if (place === undefined) return this.#missing(address);
      const { truth } = this.context;
      return this.#fenced(place.root, () =>
        truth.readHistory(place.root.shard, address.text, historyQuery),
      );
    });
  }

  /** All of it, or what is about releases in stages; whoever owns what it is of. */
  async audit(
    query: AuditPageQuery,
    about?: AuditQuery['about'],
  ): Promise<Outcome<Page<AuditItem>>> {
    const sinceMs = this.#since(query);
    const narrowed = {
      ...(sinceMs === undefined ? {} : { since: this.context.formatTime(sinceMs) }),
      ...(about === undefined ? {} : { about }),
    };
    return this.#page(query, async (historyQuery) =>
      done(await this.context.truth.readAudit({ ...historyQuery, ...narrowed })),
    );
  }

  /** The later of both bounds, as a wall time. */
  #since({ since, withinMs }: AuditPageQuery): number | undefined {
    const { clock, parseTime } = this.context;
    const times = [
      ...(since === undefined ? [] : [parseTime(since)]),
      ...(withinMs === undefined ? [] : [clock.wallMs() - withinMs]),
    ];
    return times.length === 0 ? undefined : Math.max(...times);
  }

  async #page<T extends HistoryItem>(
    query: PageQuery,
    read: (query: HistoryQuery) => Promise<Outcome<readonly StoredHistoryEntry[]>>,
  ): Promise<Outcome<Page<T>>> {
    const { cursor, limit } = query;
    if (cursor !== undefined && !CURSOR.test(cursor)) return badCursor();
    try {
      const found = await read({
        limit: limit + 1,
        ...(cursor === undefined ? {} : { before: cursor }),
      });
      if (!found.ok) return found;
      const shown = found.value.slice(0, limit);
      const items = shown.map(({ sequence: _sequence, ...item }) => item as unknown as T);
      const last = shown.at(-1);
      const more = found.value.length > limit && last !== undefined;
      return done(more ? { items, next: last.sequence } : { items });
    } catch (error) {
      if (error instanceof TruthUnavailableError) return truthUnavailable();
      throw error;
    }
  }

  async #definition(address: Address, version?: number): Promise<Outcome<Definition>> {
    const place = this.shards.find(address);
    if (place === undefined) return this.#missing(address);
    const { root, node } = place;
    const { newest } = node;
    if (newest === null) return this.#missing(address);
    if (version === undefined || version === newest.version) return done(newest);
    if (version === node.stable?.version) return done(node.stable);
    if (version > newest.version) return this.#noVersion(node, version);
    return this.#fenced(root, () => storedDefinition(this.context, root, { address, version }));
  }

  async #fenced<T>(root: OwnedRoot, read: () => Promise<T>): Promise<Outcome<T>> {
    try {
      return done(await read());
    } catch (error) {
      if (error instanceof TruthUnavailableError) return truthUnavailable();
      if (!(error instanceof FencedError)) throw error;
      this.shards.refusedByFence(root.shard);
      return noOwner();
    }
  }

  #missing(address: Address): Outcome<never> {
    if (!this.shards.serves(address.root)) return noOwner();
    return refused('not-found', `there is no definition at ${address.text}`);
  }

  #noVersion(node: AddressNode, version: number): Outcome<never> {
    const newest = node.newest?.version ?? 0;
    return refused(
      'version-unknown',
      `${node.address.text} has no version ${version}; the newest is ${newest}`,
      { currentVersion: newest },
    );
  }
}

export function badCursor(): Outcome<never> {
  return refused(
    'malformed-request',
    'this cursor is not one that was given out; start again without it',
  );
}
