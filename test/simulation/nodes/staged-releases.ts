import { canonicalize } from '@pawl/contracts';
import type {
  AddressText,
  JsonValue,
  Snapshot,
  SnapshotInput,
  SnapshotRelease,
} from '@pawl/contracts';
import { movesOut } from './cohort-rules.js';
import type { Who } from './cohort-rules.js';
import type { KeptHead, KeptTruth, NewRelease } from './kept-truth.js';
import { StageClocks } from './stage-clocks.js';
import type { ClocksWorld } from './stage-clocks.js';
import type { Violations } from './violations.js';

type Staged = NonNullable<NewRelease['staged']>;

const EVERYBODY = 10_000;
const MOST_ON_A_WAY = 3;

/** What the books of releases in stages ask of the world. */
export interface StagedWorld extends ClocksWorld {
  /** Everybody that there could be. */
  readonly everybody: readonly Who[];
  reached(what: string): void;
  /** Live candidates that have told their owner some time ago that they reject what is published. */
  rejections(
    head: KeptHead,
    at: { readonly release: string; readonly owner: string },
  ): readonly string[];
  /** An owner claims shards anew. */
  claimed(owner: string): void;
  /** A stage was reached by the owner's doing. */
  wentOn(owner: string): void;
}

/** A transition that an owner made by himself. */
interface OwnTransition {
  readonly address: AddressText;
  readonly shard: number;
  readonly action: string;
  readonly now: NewRelease;
}

/** Demands of releases in stages what DESIGN.md §4 says, and that nothing of them is told but what is so. */
export class StagedReleases {
  readonly #clocks: StageClocks;
  /** Whoever resumed these had seen what is rejected. */
  readonly #resumed = new Set<string>();
  readonly #paused = new Set<AddressText>();

  constructor(
    private readonly judge: Violations,
    private readonly world: StagedWorld,
  ) {
    this.#clocks = new StageClocks(world);
  }

  raised(shard: number, owner: string): void {
    this.#clocks.raised(shard, owner);
    this.world.claimed(owner);
  }

  stored({ address, generation, version }: Snapshot): void {
    this.#clocks.stored(address, generation, version);
  }

  /** A release state was committed, with these snapshots. */
  reached(
    truth: KeptTruth,
    address: AddressText,
    of: {
      readonly next: NewRelease;
      readonly heads: readonly Pick<
        KeptHead & { address: string },
        'address' | 'generation' | 'version'
      >[];
    },
  ): void {
    const { next, heads } = of;
    const isResumed = next.state === 'rolling' && this.#paused.delete(address);
    if (next.staged !== null && isResumed) this.#resumed.add(next.staged.id);
    if (next.state === 'paused') this.#paused.add(address);
    this.#clocks.reached(address, next, heads);
    const most = Math.max(
      ...truth.addresses.map(
        (at) => truth.path(at).filter(([, { staged }]) => staged !== null).length,
      ),
    );
    const what = `at most ${MOST_ON_A_WAY} releases are under way on one way from the root (§4)`;
    this.judge.demand(most <= MOST_ON_A_WAY, what);
    if (next.staged !== null && most > 1) this.world.reached(`releases on one way: ${most}`);
  }

  /** A head says what it was made of: just what the truth holds, and nobody is moved out. */
  told(
    truth: KeptTruth,
    at: AddressText,
    head: {
      readonly inputs: readonly SnapshotInput[];
      readonly releases: readonly SnapshotRelease[];
      readonly before: KeptHead | null;
    },
  ): void {
    const way = truth.path(at);
    const inputs = way.flatMap(([address, release]) => inputOf(address, release));
    const what = `a snapshot of ${at} is of the layers that are released (I10)`;
    this.judge.demand(text(inputs) === text(head.inputs), what);
    const staged = way.flatMap(([address, release]) =>
      release.staged === null ? [] : [{ address, release: release.staged }],
    );
    const ids = staged.map(({ address, release }) => `${address} ${release.id}`).join();
    const told = head.releases.map(({ address, id }) => `${address} ${id}`).join();
    this.judge.demand(
      ids === told,
      `a snapshot of ${at} tells the releases under way (§4): ${told}`,
    );
    for (const [index, release] of head.releases.entries()) {
      const of = staged[index]?.release;
      if (of !== undefined) this.#checkStages(at, release, of);
      const before = head.before?.releases.find(({ id }) => id === release.id);
      const leaves = before !== undefined && movesOut(before, release, this.world.everybody);
      this.judge.demand(!leaves, `release ${release.id} moves nobody out at ${at} (§4)`);
      const grew =
        before?.stages.length === release.stages.length && text(before) !== text(release);
      if (grew) this.world.reached('release grown within a stage');
    }
  }

  #checkStages(at: AddressText, { id, stages }: SnapshotRelease, of: Staged): void {
    const what = `release ${id} reaches its stages at ${at}, no more and no less (§4)`;
    const isLast = of.stage === of.stages.length - 1;
    if (isLast) {
      return this.judge.demand(text(stages) === text([{ basisPoints: EVERYBODY }]), what);
    }
    const fits = stages.every(
      ({ basisPoints, selector }, index) =>
        basisPoints === 0 && text(selector ?? null) === text(of.stages[index]?.selector ?? null),
    );
    this.judge.demand(stages.length === of.stage + 1 && fits, what);
  }

  /** Of what an owner did by himself: it had watched, and nobody had told him otherwise. */
  wentOn({ address, shard, action, now }: OwnTransition, head: KeptHead | null): void {
    const { staged } = now;
    if (staged === null) {
      return this.judge.demand(false, `an owner ends no release of ${address} that is over`);
    }
    const how = action === 'advance' && staged.stage === staged.stages.length - 1 ? 'end' : action;
    this.world.reached(`by itself: ${how}`);
    if (action !== 'advance') return;
    const owner = this.#clocks.ownerOf(shard);
    const bakeMs = staged.stages[staged.stage]?.bakeMs ?? 0;
    const bakedMs = this.#clocks.bakedMs(address, staged, shard);
    const of = `stage ${staged.stage + 1} of ${staged.id} at ${address}`;
    const isBaked = bakedMs >= bakeMs - ROUNDING_MS;
    this.judge.demand(isBaked, `${of} is watched for ${bakeMs} ms before it ends, not ${bakedMs}`);
    const limit = staged.gates.find(({ kind }) => kind === 'rejections')?.limit;
    const about = { release: staged.id, owner };
    const rejecting = head === null ? [] : this.world.rejections(head, about);
    const isForgiven = this.#resumed.has(staged.id);
    const passes = limit === undefined || isForgiven || rejecting.length <= limit;
    this.judge.demand(passes, `${of} does not end while ${rejecting.join()} reject it`);
    this.world.wentOn(owner);
  }
}

/** Clocks count in fractions. */
const ROUNDING_MS = 0.01;

function inputOf(address: AddressText, release: NewRelease): SnapshotInput[] {
  const { contributionAt, state, stableVersion, loweredAt, staged, forced } = release;
  if (contributionAt === 0) return [];
  const isThere = state !== 'disabled';
  return [
    {
      ...{ address, definitionVersion: isThere ? stableVersion : null },
      ...{ releaseVersion: contributionAt, loweredAt },
      ...(staged === null ? {} : { candidate: staged.candidateVersion }),
      ...(isThere && forced ? { forced: true as const } : {}),
    },
  ];
}

function text(value: unknown): string {
  return canonicalize(value as JsonValue);
}
