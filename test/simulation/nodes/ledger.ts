import { canonicalize, parseAddress, parseJson, snapshotHash } from '@pawl/contracts';
import type { AddressText, JsonObject, JsonValue, Snapshot, SnapshotInput } from '@pawl/contracts';
import { sha256 } from '@pawl/contracts/node';
import type { Changeset, Fence } from '@pawl/engine';
import { keyOf, layersFor, setsOf } from './cohort-rules.js';
import { keptDefinition, KeptTruth } from './kept-truth.js';
import type { KeptAddress, KeptHead, KeptVariant, NewRelease } from './kept-truth.js';
import { Losses } from './losses.js';
import type { LossesWorld } from './losses.js';
import { isAllowed } from './release-rules.js';
import type { PublicationWitness } from './simulated-publisher.js';
import type { TruthWitness } from './simulated-postgres.js';
import { satisfies } from './small-validator.js';
import { StagedReleases } from './staged-releases.js';
import type { StagedWorld } from './staged-releases.js';
import { readTransition } from './told-transitions.js';
import type { Violations } from './violations.js';

type NewDefinition = Changeset['definitions'][number];
type NewSnapshot = Changeset['snapshots'][number];

interface ReleaseOf {
  readonly changeset: Changeset;
  readonly address: AddressText;
  readonly shard: number;
}

interface KeptShelf {
  readonly generation: number;
  readonly version: number;
}

/** A copy of PostgreSQL, and when it was taken. */
export interface KeptCopy {
  readonly truth: KeptTruth;
  readonly commits: ReturnType<Losses['keep']>;
  readonly atMs: number;
}

/**
 * A second bookkeeping of all that takes effect in PostgreSQL and JetStream, by none of the product's
 * code but its canonical form; demands the invariants of DESIGN.md §3 of each change.
 */
export class Ledger implements TruthWitness, PublicationWitness {
  readonly losses: Losses;
  readonly staged: StagedReleases;
  /** What PostgreSQL held each time before an older copy took its place, and holds now. */
  readonly #eras: KeptTruth[];
  /** Commands whose callers were told that nothing was written. */
  readonly #refused = new Set<string>();
  /** Every head that was ever committed, by `<address> <generation>.<version> <hash>`. */
  readonly #committed = new Map<string, KeptHead>();
  /** Highest version on each subject, since the stream was made. */
  readonly #stored = new Map<string, KeptShelf>();
  /** Everything that the stream ever held: hash by `<address> <generation>.<version>`. */
  readonly #everStored = new Map<string, string>();
  /** Highest generation that there ever was. */
  #highestGeneration: number;
  readonly trace: string[] = [];

  constructor(
    private readonly judge: Violations,
    private readonly world: LossesWorld &
      StagedWorld & {
        readonly generation: number;
        shardOf(address: AddressText): number;
        hasContent(root: string, hash: string): boolean;
      },
  ) {
    this.#eras = [new KeptTruth(world.generation)];
    this.#highestGeneration = world.generation;
    this.losses = new Losses(judge, world);
    this.staged = new StagedReleases(judge, world);
  }

  /** Counts how often PostgreSQL was put back. */
  get era(): number {
    return this.#eras.length - 1;
  }

  get truth(): KeptTruth {
    return this.#eras[this.era] as KeptTruth;
  }

  of(address: AddressText): KeptAddress {
    return this.truth.of(address);
  }

  get addresses(): AddressText[] {
    return this.truth.addresses;
  }

  /** What PostgreSQL held, as far as it goes, at any time since that era. */
  truths(since: number): readonly KeptTruth[] {
    return this.#eras.slice(since);
  }

  /** Its caller was told so: it must never be found written. */
  refused(op: string): void {
    this.judge.demand(!this.truth.ops.has(op), `${op} is refused, and was written (I5)`);
    this.#refused.add(op);
  }

  keep(): KeptCopy {
    return { truth: this.truth.copy(), commits: this.losses.keep(), atMs: this.world.nowMs() };
  }

  restored(copy: KeptCopy): void {
    const { truth, atMs } = copy;
    this.trace.push(`restore ${atMs.toFixed(0)}`);
    const isFormer = truth.generation < this.#highestGeneration;
    this.losses.restored(copy, this.truth.fences, isFormer);
    this.#eras.push(truth.copy());
  }

  accepted(generation: number, shards: readonly number[]): void {
    this.trace.push(`accept ${generation}`);
    this.judge.demand(
      generation > this.truth.generation,
      `accepting raises the generation ${this.truth.generation}, to ${generation} (I6)`,
    );
    this.#highestGeneration = Math.max(this.#highestGeneration, generation);
    this.truth.generation = generation;
    this.truth.pauseRolling((address) => shards.includes(this.world.shardOf(address)));
    this.losses.accepted();
  }

  raised(fence: Fence, owner: string): void {
    const { shard, token } = fence;
    this.trace.push(`raise ${shard} ${token}`);
    const before = this.truth.fences.get(shard);
    if (before !== undefined && before.owner !== owner) this.world.reached('shard taken over');
    this.judge.demand(token >= (before?.token ?? 0n), 'a fence is never lowered (I4)');
    this.truth.fences.set(shard, { token, owner });
    this.losses.raised(fence, owner);
    this.staged.raised(shard, owner);
  }

  wrote(what: string, fence: Fence): void {
    this.#fenced(what, fence);
  }

  read(what: string, fence: Fence): void {
    this.#fenced(`a read (${what})`, fence);
  }

  committed(fence: Fence, changesets: readonly Changeset[]): void {
    this.#fenced('a commit', fence);
    const ops = changesets.flatMap((changeset) => this.#commit(changeset, fence));
    this.losses.committed(fence, ops);
  }

  /** The stream is empty again. */
  streamsDeleted(): void {
    this.#stored.clear();
  }

  /** The snapshot of an address that is forgotten was taken away. */
  removed(subject: string): void {
    this.#stored.delete(subject);
  }

  stored(subject: string, snapshot: Snapshot): void {
    const { address, generation, version, hash } = snapshot;
    const at = `${address} ${generation}.${version}`;
    this.trace.push(`store ${at} ${hash.slice(0, 8)}`);
    const committed = this.#committed.get(`${at} ${hash}`);
    this.judge.demand(
      committed !== undefined,
      `${at} is published once it is committed, as it is (R8, I10)`,
    );
    const before = this.#stored.get(subject);
    const isHigher =
      before === undefined ||
      generation > before.generation ||
      (generation === before.generation && version > before.version);
    this.judge.demand(isHigher, `${at} takes the place of a lower one in the stream (I6)`);
    this.#stored.set(subject, { generation, version });
    const former = this.#everStored.get(at);
    if (former !== undefined) this.world.reached('published again');
    this.judge.demand(former === undefined || former === hash, `${at} never says two things (I6)`);
    this.#everStored.set(at, hash);
    this.staged.stored(snapshot);
    this.judge.demand(
      snapshotHash(snapshot, sha256) === hash,
      `${at} has the hash of what it says (I10)`,
    );
    if (committed !== undefined) this.#checkContent(snapshot, committed);
  }

  pushed({ address, generation, version, hash }: Snapshot): void {
    const at = `${address} ${generation}.${version}`;
    this.judge.demand(
      this.#everStored.get(at) === hash,
      `${at} is stored before it is pushed (§6)`,
    );
  }

  /** What this snapshot gives, if the stream ever held it. */
  wasStored(at: string, hash: string): KeptHead | undefined {
    return this.#everStored.get(at) === hash ? this.#committed.get(`${at} ${hash}`) : undefined;
  }

  #checkContent({ address, version, variants }: Snapshot, head: KeptHead): void {
    const at = `${address} ${version}`;
    const keys = Object.keys(variants).sort().join();
    const isWhole = keys === [...head.variants.keys()].sort().join();
    if (!isWhole) return this.judge.demand(false, `${at} has a variant for each cohort (I7)`);
    const parsed = parseAddress(address);
    const root = parsed.ok ? parsed.address.root : '';
    for (const [key, { document, text }] of head.variants) {
      const variant = variants[key];
      const of = key === '' ? at : `${at} for ${key}`;
      this.judge.demand(sha256(text) === variant?.hash, `${of} is what its inputs give (I3, I10)`);
      const isAbsent = (document === null) === (variant?.absent === true);
      this.judge.demand(isAbsent, `${of} is absent if it is (I10)`);
      if (document === null || variant === undefined) continue;
      const isReadable = variant.inline !== undefined || this.world.hasContent(root, variant.hash);
      const what = `the content of ${of} is readable before ${at} is published (§6)`;
      this.judge.demand(isReadable, what);
    }
  }

  #fenced(what: string, { shard, token }: Fence): void {
    const held = this.truth.fences.get(shard)?.token ?? 0n;
    this.judge.demand(
      token === held,
      `${what} of shard ${shard} under ${token}, the fence is ${held} (I4)`,
    );
  }

  /** The commands that took effect. */
  #commit(changeset: Changeset, { shard }: Fence): readonly string[] {
    const ops = new Set<string>();
    for (const definition of changeset.definitions) ops.add(this.#define(definition));
    for (const { address, next } of changeset.releases) {
      ops.add(this.#release({ changeset, address, shard }, next));
    }
    ops.delete('');
    for (const snapshot of changeset.snapshots) this.#head(snapshot);
    for (const { address, next } of changeset.releases) {
      this.staged.reached(this.truth, address, { next, heads: changeset.snapshots });
    }
    this.judge.demand(ops.size <= 1, 'a changeset is of one command');
    for (const op of ops) this.#took(op);
    return [...ops];
  }

  #define({ address, version, document, schema, message }: NewDefinition): string {
    const { definitions } = this.of(address);
    this.judge.demand(
      version === definitions.length + 1,
      `${address} has no gap before ${version} (I1)`,
    );
    const op = message ?? 'nobody';
    const value = document === null ? null : (parsed(document.text) as JsonObject);
    definitions.push(keptDefinition(op, value, schema && parsed(schema.text)));
    this.trace.push(`define ${address} ${version} ${op}`);
    return op;
  }

  /** The command that did it; empty: the owner by himself, or because of another one. */
  #release({ changeset, address, shard }: ReleaseOf, next: NewRelease): string {
    const kept = this.of(address);
    const now = this.truth.release(address);
    const entries = changeset.history.filter(
      (each) => each.address === address && each.releaseVersion === next.releaseVersion,
    );
    const entry = entries.find(({ ended }) => ended?.outcome !== 'superseded');
    const told = readTransition(entry);
    const { action, by, op } = told;
    const what = `${action} of ${address} to release version ${next.releaseVersion}`;
    this.judge.demand(
      next.releaseVersion === kept.releases.length + 1,
      `${what} leaves no gap (I2)`,
    );
    const { stableVersion, staged } = next;
    const versions = [stableVersion ?? 0, staged?.candidateVersion ?? 0];
    const exists = versions.every((version) => version <= kept.definitions.length);
    this.judge.demand(exists, `${what} releases a version that there is (I2)`);
    this.judge.demand(isAllowed(action, now, next), `${what} is allowed in that state (I2)`);
    const { releases: together } = changeset;
    this.staged.took({ truth: this.truth, address, shard, told, now, next, together });
    const ended = now.staged !== null && now.staged.id !== staged?.id ? now.staged.id : '';
    const toldEnded = entries.flatMap((each) => (each.ended ? [each.releaseId] : []));
    this.judge.demand(toldEnded.join() === ended, `${what} tells which release ends with it (I2)`);
    if (by === 'another') this.world.reached('release dropped by another command');
    if (staged !== null && now.staged?.id !== staged.id) {
      this.world.reached('release in stages begun');
    }
    if (by !== 'owner' && now.staged !== null) this.world.reached(`release under way: ${action}`);
    kept.releases.push({ op, next });
    const stage =
      staged === null ? '' : ` ${staged.candidateVersion}@${staged.stage} ${next.state}`;
    this.trace.push(
      `release ${address} ${next.releaseVersion} ${action} ${stableVersion}${stage} by ${by}`,
    );
    return op;
  }

  #head({ address, generation, version, hash, inputs, releases }: NewSnapshot): void {
    const kept = this.of(address);
    const { truth } = this;
    const at = `${address} ${generation}.${version}`;
    const lower = (kept.head?.version ?? 0) < version;
    this.judge.demand(lower, `the snapshot versions of ${address} only grow (I6)`);
    this.judge.demand(
      generation === truth.generation,
      `${at} is committed under the generation ${truth.generation} (I6)`,
    );
    this.staged.told(truth, address, { inputs, releases, generation });
    const variants = new Map<string, KeptVariant>();
    for (const reached of setsOf(releases)) {
      const layers = layersFor(inputs, reached);
      const document = truth.effective(layers);
      this.judge.demand(document !== undefined, `${at} is made of versions that there are (R8)`);
      const text = document ? canonicalize(document) : '';
      const key = keyOf(reached.map(({ id }) => id));
      variants.set(key, { document: document ?? null, text });
      const isForced = key === '' && inputs.some(({ forced }) => forced === true);
      if (document && !isForced) {
        for (const layer of layers)
          this.#checkSchema(key === '' ? at : `${at} for ${key}`, layer, document);
      }
    }
    const head = { generation, version, hash, inputs, releases, variants };
    kept.head = head;
    kept.heads.set(version, head);
    this.#committed.set(`${at} ${hash}`, head);
    this.trace.push(`head ${address} ${version} ${hash.slice(0, 8)}`);
  }

  #checkSchema(at: string, layer: SnapshotInput, document: JsonObject): void {
    if (layer.definitionVersion === null) return;
    const of = this.of(layer.address as AddressText);
    const schema = of.definitions[layer.definitionVersion - 1]?.schema ?? null;
    const valid = schema === null || satisfies(schema, document);
    this.judge.demand(valid, `${at} satisfies the schema of ${layer.address} (I9)`);
  }

  #took(op: string): void {
    this.judge.demand(!this.truth.ops.has(op), `${op} takes effect once`);
    this.judge.demand(!this.#refused.has(op), `${op} was refused, and is written (I5)`);
    this.truth.ops.add(op);
  }
}

function parsed(text: string): JsonValue {
  const result = parseJson(text, { numbers: 'double' });
  if (!result.ok) throw new Error('what is committed is JSON');
  return result.value;
}
