import type { Fence } from '@pawl/engine';
import type { KeptTruth } from './kept-truth.js';
import type { NotedMark } from './noted-marks.js';
import type { Violations } from './violations.js';

/** After so long the quorum has been told of a commit, by its owner if nothing happens to him, or by the next, milliseconds. */
const NOTED_MS = 8_000;

/** So long after it was struck a node may still have no lease. */
const STRUCK_MS = 30_000;

interface Commit {
  readonly shard: number;
  readonly token: bigint;
  readonly atMs: number;
  /** What it wrote. */
  readonly ops: readonly string[];
  /** Who has to find out that it is missing; null: it is there. */
  finder: Finder | null;
  /** The quorum told of more than PostgreSQL had when that took the place of another last: anybody finds it. */
  told: boolean;
}

/** A copy of PostgreSQL that takes its place. */
interface RestoredCopy {
  readonly commits: readonly Commit[];
  readonly truth: KeptTruth;
}

/**
 * Who has to find out that a shard has lost something: anybody; or the owner that committed it, and
 * who takes the shard from him, unless he died or may have lost his lease; or nobody, who may.
 */
type Finder = 'anybody' | 'nobody' | { readonly owner: string };

/** What the books of losses ask of the world. */
export interface LossesWorld {
  nowMs(): number;
  reached(what: string): void;
  /** What the quorum tells the next who raises the fence of a shard, now raised to `raised`. */
  noted(shard: number, raised: bigint): NotedMark | null;
}

/**
 * What a PostgreSQL that was put back has lost, and who has to find that out: a shard that lost what
 * was acknowledged takes no commit until somebody accepts it.
 */
export class Losses {
  /** That PostgreSQL holds now. */
  #commits: readonly Commit[] = [];
  /** That it has to hold, or to be found without: all that were not accepted as lost. */
  #due: readonly Commit[] = [];
  readonly #acknowledged = new Set<string>();
  /** Shards that lost anything, acknowledged or not. */
  readonly #lost = new Set<number>();
  /** When something happened to a node after which it may have lost its lease, or told nobody what it had done. */
  readonly #struckMs = new Map<string, readonly number[]>();
  /** PostgreSQL was put back behind an acceptance: any shard may be read-only. */
  #isFormer = false;
  /** Nothing was ever lost: no shard may be read-only. */
  #isWhole = true;

  constructor(
    private readonly judge: Violations,
    private readonly world: LossesWorld,
  ) {}

  acknowledged(op: string): void {
    this.#acknowledged.add(op);
  }

  /** This node is killed, stands still, or is cut off from the quorum. */
  struck(node: string): void {
    this.#struckMs.set(node, [...this.#strikes(node), this.world.nowMs()]);
  }

  committed({ shard, token }: Fence, ops: readonly string[]): void {
    // A former owner whose fence an older copy brought back, and who has not heard of the next one yet.
    this.#forget(shard, (commit) => commit.token > token);
    this.judge.demand(
      !this.#due.some((commit) => commit.shard === shard && this.#isMissed(commit)),
      `shard ${shard} lost what was acknowledged, and takes writes before that is accepted (I5)`,
    );
    const commit = { shard, token, atMs: this.world.nowMs(), ops, finder: null, told: false };
    this.#commits = [...this.#commits, commit];
    this.#due = [...this.#due, commit];
  }

  raised({ shard }: Fence, owner: string): void {
    this.#forget(shard, (_, finder) => finder !== owner);
  }

  /** Another than the owner who is to find a loss goes on with the shard, and that owner may be gone. */
  #forget(shard: number, isAnother: (commit: Commit, finder: string) => boolean): void {
    const isForgotten = (commit: Commit): boolean => {
      const { finder } = commit;
      if (commit.shard !== shard || finder === null || typeof finder === 'string') return false;
      const sinceMs = this.world.nowMs() - (this.#strikes(finder.owner).at(-1) ?? -Infinity);
      return isAnother(commit, finder.owner) && sinceMs < STRUCK_MS;
    };
    for (const commit of this.#due.filter(isForgotten)) {
      this.world.reached('a loss that nobody is left to find');
      commit.finder = 'nobody';
    }
  }

  /** What there is now, for a copy. */
  keep(): readonly Commit[] {
    return this.#commits;
  }

  /** PostgreSQL holds what the copy says; `isFormer`: of a lower generation than there was. */
  restored(copy: RestoredCopy, before: KeptTruth['fences'], isFormer: boolean): void {
    this.#isWhole = false;
    this.#isFormer = isFormer;
    const kept = copy.commits;
    this.#commits = kept;
    const held = new Set(kept);
    const shards = [...new Set(this.#due.map(({ shard }) => shard))];
    const told = shards.filter((shard) => this.#isTold(shard, copy, before));
    // Also what had been given up in between: a newer copy has it again.
    for (const commit of kept) Object.assign(commit, { finder: null, told: false });
    this.#lost.clear();
    for (const commit of this.#due) {
      if (held.has(commit)) continue;
      const { shard } = commit;
      this.#lost.add(shard);
      commit.finder ??= this.#finder(commit, before.get(shard));
      commit.told = told.includes(shard);
      if (!this.#isMissed(commit)) continue;
      this.world.reached('what was acknowledged is lost');
      if (commit.told) this.world.reached('a loss that the quorum tells of');
    }
  }

  /** Whether what the quorum remembers of a shard is more than the copy has. */
  #isTold(shard: number, { commits, truth }: RestoredCopy, before: KeptTruth['fences']): boolean {
    const mark = this.world.noted(shard, before.get(shard)?.token ?? 0n);
    if (mark === null || mark.generation < truth.generation) return false;
    if (mark.generation > truth.generation) return true;
    const count = commits.filter((commit) => commit.shard === shard).length;
    return mark.commits > count || mark.token > (truth.fences.get(shard)?.token ?? 0n);
  }

  #isMissed({ finder, told, ops }: Commit): boolean {
    const isFound = told || (finder !== null && finder !== 'nobody');
    return isFound && ops.some((op) => this.#acknowledged.has(op));
  }

  #finder(
    { atMs, token }: Commit,
    fence: { readonly token: bigint; readonly owner: string } | undefined,
  ): Finder {
    const isOwn = fence?.token === token;
    if (atMs >= this.world.nowMs() - NOTED_MS) return isOwn ? { owner: fence.owner } : 'nobody';
    return isOwn && !this.#wasCalm(fence.owner, atMs) ? { owner: fence.owner } : 'anybody';
  }

  /** Whether nothing happened to a node for long enough to have told the quorum of a commit. */
  #wasCalm(owner: string, sinceMs: number): boolean {
    const strikes = this.#strikes(owner).filter((ms) => ms > sinceMs);
    const ends = [...strikes, this.world.nowMs()];
    return ends.some((ms, at) => ms - (strikes[at - 1] ?? sinceMs) >= NOTED_MS);
  }

  /** Of the node, or of the incarnation's. */
  #strikes(owner: string): readonly number[] {
    const [node = ''] = owner.split('/');
    return this.#struckMs.get(node) ?? [];
  }

  /** What is missing by now is given up. */
  accepted(): void {
    this.#due = this.#commits;
    this.#isFormer = false;
    this.#lost.clear();
  }

  /** These shards are read-only now. */
  readOnly(shards: readonly number[]): void {
    const wrongly = shards.filter((shard) => !this.#lost.has(shard));
    this.judge.demand(
      wrongly.length === 0 || this.#isFormer,
      `${this.#isWhole ? 'nothing was lost' : 'shards that lost nothing'}, and read-only are ${wrongly.join()} (decision 0010)`,
    );
  }
}
