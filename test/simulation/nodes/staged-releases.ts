import { canonicalize } from '@pawl/contracts';
import type {
  AddressText,
  JsonValue,
  Snapshot,
  SnapshotInput,
  SnapshotRelease,
} from '@pawl/contracts';
import { heldOf, lacksApproval } from './approval-rules.js';
import { AskedReleases } from './asked-releases.js';
import { movesOut } from './cohort-rules.js';
import type { Who } from './cohort-rules.js';
import type { KeptHead, KeptTruth, NewRelease } from './kept-truth.js';
import { LaterReleases } from './later-releases.js';
import type { LaterWorld } from './later-releases.js';
import { PauseClocks } from './pause-clocks.js';
import { fallsUntold, inputsAt, stagedAt } from './pin-rules.js';
import { PinnedScopes } from './pinned-scopes.js';
import type { PinsWorld, Together } from './pinned-scopes.js';
import { judgePreempted } from './preempt-rules.js';
import { StageClocks } from './stage-clocks.js';
import type { ClocksWorld } from './stage-clocks.js';
import type { ToldTransition } from './told-transitions.js';
import type { Violations } from './violations.js';

type Staged = NonNullable<NewRelease['staged']>;

const EVERYBODY = 10_000;
const MOST_ON_A_WAY = 3;

/** What the books of releases in stages ask of the world. */
export interface StagedWorld extends ClocksWorld, LaterWorld, PinsWorld {
  /** Everybody that there could be. */
  readonly everybody: readonly Who[];
  /** Live candidates that have told their owner some time ago that they reject what is published. */
  rejections(
    head: KeptHead,
    at: { readonly release: string; readonly owner: string },
  ): readonly Rejecting[];
  /** An owner claims shards anew. */
  claimed(owner: string): void;
  /** A stage was reached by the owner's doing. */
  wentOn(owner: string): void;
  /** A release is paused at an address of this owner. */
  paused(owner: string): void;
}

/** Who rejects what he was made a candidate of. */
export interface Rejecting {
  readonly id: string;
  readonly workload: string;
}

/** A transition, before it is in the books. */
export interface Transition {
  readonly truth: KeptTruth;
  readonly address: AddressText;
  readonly shard: number;
  readonly told: ToldTransition;
  readonly now: NewRelease;
  readonly next: NewRelease;
  /** All release states that are committed in one. */
  readonly together: readonly Together[];
}

/** Demands of releases in stages what DESIGN.md §4 says, and that nothing of them is told but what is so. */
export class StagedReleases {
  /** What operators ask for. */
  readonly asked: AskedReleases;
  readonly #later: LaterReleases;
  readonly #pins: PinnedScopes;
  readonly #clocks: StageClocks;
  readonly #pauses: PauseClocks;
  /** Whoever resumed these had seen what is rejected. */
  readonly #resumed = new Set<string>();
  readonly #paused = new Set<AddressText>();

  constructor(
    private readonly judge: Violations,
    private readonly world: StagedWorld,
  ) {
    this.asked = new AskedReleases(judge);
    this.#later = new LaterReleases(judge, this.asked, world);
    this.#pins = new PinnedScopes(judge, this.asked, world);
    this.#clocks = new StageClocks(world);
    this.#pauses = new PauseClocks(world);
  }

  raised(shard: number, owner: string): void {
    this.#clocks.raised(shard, owner);
    this.#pauses.raised(shard, owner);
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
    this.#pauses.reached(address, next);
    this.#pins.reached(truth, address);
    const most = Math.max(...truth.addresses.map((at) => stagedAt(truth, at).length));
    const what = `at most ${MOST_ON_A_WAY} releases are under way on one way from the root (§4)`;
    this.judge.demand(most <= MOST_ON_A_WAY, what);
    if (next.staged !== null && most > 1) this.world.reached(`releases on one way: ${most}`);
  }

  /** A release state is about to be in the books. */
  took(transition: Transition): void {
    const { truth, address, shard, told, now, next } = transition;
    const owner = this.#clocks.ownerOf(shard);
    this.#later.took({ ...transition, owner });
    this.#pins.took({ ...transition, owner });
    judgePreempted(this.judge, this.asked, transition);
    if (told.preemptedBy !== undefined) this.world.reached('release pre-empted by name');
    if (next.state === 'paused' && now.state !== 'paused') this.world.paused(owner);
    if (told.by === 'owner') this.#wentOn(transition, truth.of(address).head);
  }

  /** A head says what it was made of: just what the truth holds, and nobody is moved out. */
  told(
    truth: KeptTruth,
    at: AddressText,
    head: {
      readonly inputs: readonly SnapshotInput[];
      readonly releases: readonly SnapshotRelease[];
      readonly generation: number;
    },
  ): void {
    const { head: former, heads } = truth.of(at);
    const inputs = inputsAt(truth, at);
    const what = `a snapshot of ${at} is of the layers that are released (I10)`;
    this.judge.demand(text(inputs) === text(head.inputs), what);
    for (const held of heads.values()) {
      if (held.generation < head.generation) continue;
      const fallen = fallsUntold(held, head);
      const refused = `a snapshot of ${at} is refused by nobody (I6): ${fallen}, from ${held.version}`;
      this.judge.demand(fallen === undefined, refused);
    }
    const staged = stagedAt(truth, at);
    const ids = staged.map(({ address, release }) => `${address} ${release.id}`).join();
    const told = head.releases.map(({ address, id }) => `${address} ${id}`).join();
    this.judge.demand(
      ids === told,
      `a snapshot of ${at} tells the releases under way (§4): ${told}`,
    );
    for (const [index, release] of head.releases.entries()) {
      const of = staged[index]?.release;
      if (of !== undefined) this.#checkStages(at, release, of);
      const isHeld = text(release.held ?? []) === text(heldOf(of ?? {}));
      this.judge.demand(isHeld, `release ${release.id} tells at ${at} whom it holds (§4)`);
      const before = former?.releases.find(({ id }) => id === release.id);
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
  #wentOn({ address, shard, told, now }: Transition, head: KeptHead | null): void {
    const { action } = told;
    const { staged } = now;
    if (action === 'unpin') return;
    if (action === 'cancel') return this.world.reached('by itself: cancel');
    if (staged === null) {
      return this.judge.demand(false, `an owner ends no release of ${address} that is over`);
    }
    const isLast = staged.stage === staged.stages.length - 1;
    const how = action === 'advance' && isLast ? 'end' : action;
    this.world.reached(`by itself: ${how}`);
    if (now.state === 'paused') return this.#expired({ address, shard, action }, staged);
    if (action !== 'advance') return;
    const isApproved = !lacksApproval(staged);
    const held = heldOf(staged).join();
    const stage = `stage ${staged.stage + 1} of ${staged.id} at ${address}`;
    this.judge.demand(isApproved, `${stage} does not end before a person has said yes (§4)`);
    this.judge.demand(!isLast || held === '', `${stage} does not end while it holds ${held} (§4)`);
    this.#watched({ address, shard, staged }, head);
  }

  /** Of one that is paused nothing but its time makes an owner do anything. */
  #expired(
    of: { readonly address: AddressText; readonly shard: number; readonly action: string },
    staged: Staged,
  ): void {
    const { address, shard, action } = of;
    const what = `release ${staged.id} of ${address}, which is paused, is aborted by itself, not ${action}`;
    this.judge.demand(action === 'abort', `${what} (§4)`);
    const leastMs = Math.min(staged.expireMs ?? LONGEST_SEEN_MS, LONGEST_SEEN_MS) - ROUNDING_MS;
    const pausedMs = this.#pauses.pausedMs(address, staged, shard);
    const since = `${leastMs} ms after its owner first saw it paused, not ${pausedMs}`;
    this.judge.demand(pausedMs >= leastMs, `${what} ${since} (§4)`);
    this.world.reached('by itself: abort of what was paused too long');
  }

  #watched(
    of: { readonly address: AddressText; readonly shard: number; readonly staged: Staged },
    head: KeptHead | null,
  ): void {
    const { address, shard, staged } = of;
    const owner = this.#clocks.ownerOf(shard);
    const bakeMs = staged.stages[staged.stage]?.bakeMs ?? 0;
    const bakedMs = this.#clocks.bakedMs(address, staged, shard);
    const what = `stage ${staged.stage + 1} of ${staged.id} at ${address}`;
    const isBaked = bakedMs >= bakeMs - ROUNDING_MS;
    this.judge.demand(
      isBaked,
      `${what} is watched for ${bakeMs} ms before it ends, not ${bakedMs}`,
    );
    const about = { release: staged.id, owner };
    const rejecting = head === null ? [] : this.world.rejections(head, about);
    const passes = this.#resumed.has(staged.id) || isPassed(staged, rejecting);
    const who = rejecting.map(({ id }) => id).join();
    this.judge.demand(passes, `${what} does not end while ${who} reject it`);
    this.world.wentOn(owner);
  }
}

/** Clocks count in fractions. */
const ROUNDING_MS = 0.01;
/** However long ago it was paused, an owner sees it paused for so long, or as long as it may be. */
const LONGEST_SEEN_MS = 60_000;

/** Whether so many may reject it; where workloads can be held each is judged alone. */
function isPassed({ gates }: Staged, rejecting: readonly Rejecting[]): boolean {
  const gate = gates.find(({ kind }) => kind === 'rejections');
  if (gate?.limit === undefined) return true;
  if (gate.onFailure !== 'hold') return rejecting.length <= gate.limit;
  const workloads = rejecting.map(({ workload }) => workload);
  const most = Math.max(
    0,
    ...workloads.map((one) => workloads.filter((other) => other === one).length),
  );
  return most <= gate.limit;
}

function text(value: unknown): string {
  return canonicalize(value as JsonValue);
}
