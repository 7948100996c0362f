import { canonicalize, parseAddress, parseJson, snapshotHash } from '@pawl/contracts';
import type { AddressText, JsonObject, JsonValue, Snapshot, SnapshotInput } from '@pawl/contracts';
import { sha256 } from '@pawl/contracts/node';
import type { Changeset, Fence } from '@pawl/engine';
import type { PublicationWitness } from './simulated-publisher.js';
import type { TruthWitness } from './simulated-postgres.js';
import { satisfies } from './small-validator.js';
import type { Violations } from './violations.js';

type NewRelease = Changeset['releases'][number]['next'];

interface KeptDefinition {
  /** Who wrote it, as the document says; null: a schema alone was written. */
  readonly op: string | null;
  readonly document: JsonObject | null;
  readonly schema: JsonValue | null;
}

interface KeptAddress {
  readonly definitions: KeptDefinition[];
  readonly releases: NewRelease[];
  /** Hash by `<generation>.<version>`. */
  readonly heads: Map<string, string>;
  head: { readonly generation: number; readonly version: number; readonly hash: string } | null;
}

const NOWHERE: NewRelease = {
  state: 'idle',
  releaseVersion: 0,
  stableVersion: null,
  contributionAt: 0,
  loweredAt: null,
  forced: false,
  blockedVersions: [],
};

/**
 * A second bookkeeping of all that takes effect in PostgreSQL and JetStream, by none of the product's
 * code but its canonical form; demands the invariants of DESIGN.md §3 of each change.
 */
export class Ledger implements TruthWitness, PublicationWitness {
  readonly #addresses = new Map<AddressText, KeptAddress>();
  readonly #highest = new Map<number, bigint>();
  readonly #owners = new Map<number, string>();
  /** Commands that took effect. */
  readonly ops = new Set<string>();
  /** Commands whose callers were told that nothing was written. */
  readonly #refused = new Set<string>();
  /** Highest version on each subject, since the stream was made. */
  readonly #stored = new Map<string, { readonly generation: number; readonly version: number }>();
  /** Everything that the stream ever held. */
  readonly #everStored = new Set<string>();
  readonly trace: string[] = [];

  constructor(
    private readonly judge: Violations,
    private readonly hasContent: (root: string, hash: string) => boolean,
    private readonly reached: (what: string) => void,
  ) {}

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

  /** Its caller was told so: it must never be found written. */
  refused(op: string): void {
    this.judge.demand(!this.ops.has(op), `${op} is refused, and was written (I5)`);
    this.#refused.add(op);
  }

  raised({ shard, token }: Fence, owner: string): void {
    this.trace.push(`raise ${shard} ${token}`);
    const before = this.#owners.get(shard);
    if (before !== undefined && before !== owner) this.reached('shard taken over');
    this.#owners.set(shard, owner);
    this.judge.demand(token >= (this.#highest.get(shard) ?? 0n), 'a fence is never lowered (I4)');
    this.#highest.set(shard, token);
  }

  wrote(what: string, fence: Fence): void {
    this.#fenced(what, fence);
  }

  read(what: string, fence: Fence): void {
    this.#fenced(`a read (${what})`, fence);
  }

  committed(fence: Fence, changesets: readonly Changeset[]): void {
    this.#fenced('a commit', fence);
    for (const changeset of changesets) this.#commit(changeset);
  }

  /** The stream is empty again. */
  streamsDeleted(): void {
    this.#stored.clear();
  }

  stored(subject: string, snapshot: Snapshot): void {
    const { address, generation, version, hash } = snapshot;
    const at = `${address} ${generation}.${version}`;
    this.trace.push(`store ${at} ${hash.slice(0, 8)}`);
    const committed = this.of(address as AddressText).heads.get(`${generation}.${version}`);
    this.judge.demand(
      committed === hash,
      `${at} is published once it is committed, as it is (R8, I10)`,
    );
    const before = this.#stored.get(subject);
    const isHigher =
      before === undefined ||
      generation > before.generation ||
      (generation === before.generation && version > before.version);
    this.judge.demand(isHigher, `${at} takes the place of a lower one in the stream (I6)`);
    this.#stored.set(subject, { generation, version });
    if (this.#everStored.has(`${at} ${hash}`)) this.reached('published again');
    this.#everStored.add(`${at} ${hash}`);
    this.judge.demand(
      snapshotHash(snapshot, sha256) === hash,
      `${at} has the hash of what it says (I10)`,
    );
    this.#checkContent(snapshot);
  }

  pushed({ address, generation, version, hash }: Snapshot): void {
    const at = `${address} ${generation}.${version}`;
    this.judge.demand(
      this.#everStored.has(`${at} ${hash}`),
      `${at} is stored before it is pushed (§6)`,
    );
  }

  /** Whether the stream ever held this. */
  wasStored(at: string, hash: string): boolean {
    return this.#everStored.has(`${at} ${hash}`);
  }

  /**
   * The effective document of these layers by a second, simpler merge; null: absent. Below a schema
   * without a document nothing is read until a document comes.
   */
  effective(inputs: readonly SnapshotInput[]): JsonObject | null {
    let document = null as JsonObject | null;
    let isRead = false;
    for (const { address, definitionVersion } of inputs) {
      if (definitionVersion === null) continue;
      const layer = this.of(address as AddressText).definitions[definitionVersion - 1];
      const what = `${address} has the version ${definitionVersion} that is read (R8)`;
      this.judge.demand(layer !== undefined, what);
      if (layer === undefined) continue;
      isRead = layer.document !== null || (isRead && layer.schema === null);
      if (layer.document !== null) document = { ...(document ?? {}), ...layer.document };
    }
    return isRead ? document : null;
  }

  #checkContent(snapshot: Snapshot): void {
    const { address, version, inputs, variants } = snapshot;
    const at = `${address} ${version}`;
    const variant = variants[''];
    if (variant === undefined) return this.judge.demand(false, `${at} has a stable variant (I7)`);
    const document = this.effective(inputs);
    const text = document === null ? '' : canonicalize(document);
    this.judge.demand(sha256(text) === variant.hash, `${at} is what its inputs give (I3, I10)`);
    this.judge.demand(
      (document === null) === (variant.absent === true),
      `${at} is absent if it is (I10)`,
    );
    if (document === null) return;
    const parsed = parseAddress(address);
    const root = parsed.ok ? parsed.address.root : '';
    const isReadable = variant.inline !== undefined || this.hasContent(root, variant.hash);
    this.judge.demand(
      isReadable,
      `the content of ${at} is readable before ${at} is published (§6)`,
    );
    for (const input of inputs) this.#checkSchema(at, input, document);
  }

  #checkSchema(at: string, input: SnapshotInput, document: JsonObject): void {
    if (input.definitionVersion === null || input.forced === true) return;
    const of = this.of(input.address as AddressText);
    const schema = of.definitions[input.definitionVersion - 1]?.schema ?? null;
    const valid = schema === null || satisfies(schema, document);
    this.judge.demand(valid, `${at} satisfies the schema of ${input.address} (I9)`);
  }

  #fenced(what: string, { shard, token }: Fence): void {
    const held = this.#highest.get(shard) ?? 0n;
    this.judge.demand(
      token === held,
      `${what} of shard ${shard} under ${token}, the fence is ${held} (I4)`,
    );
  }

  #commit(changeset: Changeset): void {
    const before = this.ops.size;
    for (const definition of changeset.definitions) {
      const { address, version, document, schema } = definition;
      const { definitions } = this.of(address);
      this.judge.demand(
        version === definitions.length + 1,
        `${address} has no gap before ${version} (I1)`,
      );
      const value = document === null ? null : (parsed(document.text) as JsonObject);
      const op = typeof value?.['op'] === 'string' ? value['op'] : null;
      const former = definitions.at(-1)?.op ?? null;
      const isNew = op !== null && op !== former;
      definitions.push({ op, document: value, schema: schema && parsed(schema.text) });
      this.trace.push(`define ${address} ${version} ${op}`);
      if (isNew) this.#took(op);
    }
    for (const { address, next } of changeset.releases) this.#release(changeset, address, next);
    for (const { address, generation, version, hash } of changeset.snapshots) {
      const kept = this.of(address);
      const lower = (kept.head?.version ?? 0) < version;
      this.judge.demand(lower, `the snapshot versions of ${address} only grow (I6)`);
      kept.head = { generation, version, hash };
      kept.heads.set(`${generation}.${version}`, hash);
      this.trace.push(`head ${address} ${version} ${hash.slice(0, 8)}`);
    }
    this.judge.demand(this.ops.size - before <= 1, 'a changeset is of one command');
  }

  #release(changeset: Changeset, address: AddressText, next: NewRelease): void {
    const kept = this.of(address);
    const now = kept.releases.at(-1) ?? NOWHERE;
    const entry = changeset.history.find(
      (each) => each.address === address && each.releaseVersion === next.releaseVersion,
    );
    const action = entry?.action ?? 'none';
    const what = `${action} of ${address} to release version ${next.releaseVersion}`;
    this.judge.demand(
      next.releaseVersion === kept.releases.length + 1,
      `${what} leaves no gap (I2)`,
    );
    const { stableVersion } = next;
    const exists = stableVersion === null || stableVersion <= kept.definitions.length;
    this.judge.demand(exists, `${what} releases a version that there is (I2)`);
    this.judge.demand(isAllowed(action, now, next), `${what} is allowed in that state (I2)`);
    kept.releases.push(next);
    this.trace.push(`release ${address} ${next.releaseVersion} ${action} ${stableVersion}`);
    if (entry?.reason !== undefined) this.#took(entry.reason);
  }

  #took(op: string): void {
    this.judge.demand(!this.ops.has(op), `${op} takes effect once`);
    this.judge.demand(!this.#refused.has(op), `${op} was refused, and is written (I5)`);
    this.ops.add(op);
  }
}

function isAllowed(action: string, now: NewRelease, next: NewRelease): boolean {
  const [from, to] = [now.stableVersion ?? 0, next.stableVersion ?? 0];
  switch (action) {
    case 'promote':
      return now.state === 'idle' && next.state === 'idle' && to > from;
    case 'rollback':
      return now.state === next.state && to < from && next.loweredAt === next.releaseVersion;
    case 'disable':
      return now.state === 'idle' && next.state === 'disabled' && to === from;
    case 'enable':
      return now.state === 'disabled' && next.state === 'idle' && to === from;
    default:
      return false;
  }
}

function parsed(text: string): JsonValue {
  const result = parseJson(text, { numbers: 'double' });
  if (!result.ok) throw new Error('what is committed is JSON');
  return result.value;
}
