import { done, refused, STABLE_COHORT } from '@pawl/contracts';
import type { Address, Outcome, Problem, ReleaseRequest, ReleaseView } from '@pawl/contracts';
import { isForLater, planTransition } from '@pawl/domain';
import type { Definition, QueuedRelease, ReleaseState, Transition } from '@pawl/domain';
import type { CommandContext, Written } from '../config-engine.js';
import type { EngineContext } from '../engine-context.js';
import type { Publication } from '../publication/publication.js';
import type { OwnedRoot } from '../sharding/owned-shard.js';
import { activeDefinition } from '../sharding/root-tree.js';
import type { AddressNode, RootTree } from '../sharding/root-tree.js';
import { storedDefinition } from '../sharding/stored-definition.js';
import { NO_CHANGES } from '../sharding/truth-store.port.js';
import type { CommandRunner, Prepared } from '../sharding/run-command.js';
import { releasesOf } from '../sharding/cohorts.js';
import { dropping, tooManyReleases } from './releases-in-flight.js';
import type { Dropped } from './releases-in-flight.js';
import { allVariants } from './evaluate-change.js';
import type { Hypothesis, Variant } from './evaluate-change.js';
import { gatesNotJudged } from './gates-not-judged.js';
import { withLastGood } from './last-good-version.js';
import { newestValidVersion } from './newest-valid-version.js';
import { nextReleaseId } from './next-release-id.js';
import { droppedOf, judgeQueued, judgeTime, promoteOf } from './queued-promotes.js';
import { passedOver } from './passed-over.js';
import { abortedView, nothingPreempts, preempted } from './preempt-releases.js';
import { pinnedBelow } from './pinned-below.js';
import { refusal, troubledCohorts } from './refusal.js';
import { linesOf, reasonOf } from './release-lines.js';
import type { ToldChange } from './release-lines.js';
import { frozenView, judgePolicy, withOtherNoted } from './release-policy.js';
import { queuedView, releaseView } from './release-view.js';
import type { AboutRelease } from './release-view.js';
import { takeHeads, variantHeads } from './variant-heads.js';
import { wakeFor } from './wake-for.js';

/** Who acts for the owner of an address, in history and audit. */
export const OWNER = 'pawl';

interface Change {
  readonly root: OwnedRoot;
  readonly node: AddressNode;
  readonly request: ReleaseRequest;
  readonly context: CommandContext;
  /** What was queued and begins by this promote. */
  readonly begins?: QueuedRelease;
  /** The release under way is aborted since it was paused for too long. */
  readonly isExpiry?: boolean;
}

type Asked = Pick<Change, 'request' | 'context' | 'begins' | 'isExpiry'>;

/** What an address has after a transition. */
interface Next {
  readonly release: ReleaseState;
  readonly stable: Definition | null;
  readonly candidate: Definition | null;
}

/** What follows from a transition for what consumers read. */
interface Consequences {
  readonly variants: readonly Variant[];
  /** Releases in stages of other addresses that end with it. */
  readonly dropped: readonly Dropped[];
}

/** What stops or takes back: it waits for nothing else under the root. */
const URGENT: ReadonlySet<string> = new Set([
  ...['rollback', 'abort', 'disable', 'pause', 'hold', 'block', 'cancel'],
]);

/** Rounds in which releases that stand in the way are dropped, before all that could are. */
const ROUNDS = 1;

/** Every transition of a release state, with the snapshots that follow from it. */
export class ChangeRelease {
  constructor(
    private readonly context: EngineContext,
    private readonly commands: CommandRunner,
    private readonly publication: Publication,
  ) {}

  run(
    address: Address,
    request: ReleaseRequest,
    context: CommandContext,
  ): Promise<Outcome<Written<ReleaseView>>> {
    return this.#run(address, { request, context });
  }

  /** Begins what is queued at an address, in the name of who asked for it, if nothing has changed since. */
  begin(
    { address, release }: Pick<AddressNode, 'address' | 'release'>,
    begins: QueuedRelease,
  ): Promise<Outcome<Written<ReleaseView>>> {
    const { releaseVersion: expectedReleaseVersion } = release;
    const request = { ...promoteOf(begins), expectedReleaseVersion };
    return this.#run(address, { request, context: { actor: begins.by }, begins });
  }

  /** Aborts, as the owner, the release of an address that was paused for too long, if nothing has changed since. */
  expire(
    { address, release }: Pick<AddressNode, 'address' | 'release'>,
    reason: string,
  ): Promise<Outcome<Written<ReleaseView>>> {
    const { releaseVersion: expectedReleaseVersion } = release;
    const request = { action: 'abort', expectedReleaseVersion, reason };
    return this.#run(address, { request, context: { actor: OWNER }, isExpiry: true });
  }

  #run(address: Address, asked: Asked): Promise<Outcome<Written<ReleaseView>>> {
    const { request, context } = asked;
    const isUrgent = URGENT.has(request.action);
    const options = { name: 'release', address, mode: 'exclusive', isUrgent, context } as const;
    return this.commands.run(options, async (root) => {
      const node = root.tree.get(address);
      if (node === undefined) {
        return refused('not-found', `there is no definition at ${address.text} to release`);
      }
      const place = { tree: root.tree, address, begins: asked.begins };
      const noted = withOtherNoted(place, request);
      const whole = await withLastGood(this.context, root, { node, request: noted });
      return whole.ok ? this.#prepare({ root, node, ...asked, request: whole.value }) : whole;
    });
  }

  async #prepare(change: Change): Promise<Outcome<Prepared<ReleaseView>>> {
    const { node, root } = change;
    const plan = this.#plan(change);
    if (!plan.ok) return plan;
    const { changed, next: release } = plan.value;
    const { tree } = root;
    const preempting = { tree, address: node.address, names: change.request.preempt ?? [] };
    if (!changed) return nothingPreempts(preempting) ?? done(this.#unchanged(root, node));
    const ended = preempted(preempting, reasonOf(change));
    if (!ended.ok) return ended;
    const begun = release.staged?.id === node.release.staged?.id ? null : release.staged;
    const notJudged = gatesNotJudged(this.context, begun?.gates ?? []);
    if (notJudged !== undefined) return notJudged;
    if (change.context.stillHolds?.() === false) return noLongerSo(node);
    const tooMany = tooManyReleases(tree, { node, next: release, ended: ended.value });
    if (tooMany !== undefined) return tooMany;
    const next: Next = {
      release,
      stable: await this.#definition(change, release.stableVersion),
      candidate: await this.#definition(change, release.staged?.candidateVersion ?? null),
    };
    if (isAsBefore(node.release, release)) {
      const trouble = await this.#troubleOfQueued(change, release);
      if (trouble !== undefined) return { ok: false, problem: trouble };
      return done(await this.#write(change, next, { variants: [], dropped: [] }));
    }
    return this.#commitIfValid(change, next, ended.value);
  }

  #plan({ node, root, begins, ...asked }: Change): Outcome<Transition> {
    const timed = judgeTime(this.context, asked.request);
    if (!timed.ok) return timed;
    const later = isForLater(node.release, timed.value);
    const place = { tree: root.tree, address: node.address, isForLater: later, begins };
    const policed = judgePolicy(this.context, place, timed.value);
    if (!policed.ok) return policed;
    const { strategy: _, ...asQueued } = policed.value.request;
    return planTransition({
      state: node.release,
      newestVersion: node.newest?.version ?? 0,
      ...policed.value,
      ...(begins === undefined ? {} : { begins, request: asQueued }),
      address: node.address.text,
      releaseId: nextReleaseId(this.context, root.tree.generation, node),
      asked: { by: asked.context.actor, at: this.#now(), generation: root.tree.generation },
    });
  }

  /** Why what is queued with this transition would be refused now. */
  async #troubleOfQueued(change: Change, { queued }: ReleaseState): Promise<Problem | undefined> {
    const { node, root } = change;
    if (queued === null || queued === node.release.queued) return undefined;
    const notJudged = gatesNotJudged(this.context, queued.strategy?.gates ?? []);
    if (notJudged !== undefined && !notJudged.ok) return notJudged.problem;
    const definition = await this.#definition(change, queued.targetVersion);
    return judgeQueued(this.context, root.tree, { node, definition });
  }

  async #commitIfValid(
    change: Change,
    next: Next,
    ended: readonly Dropped[],
  ): Promise<Outcome<Prepared<ReleaseView>>> {
    const { node, request } = change;
    const { release } = next;
    const layer = activeDefinition(next);
    const own = hypothesisOf(node, next);
    const result = await this.#evaluate(change, own, ended);
    const trouble = refusal(result.variants);
    if (trouble === undefined) {
      const keepsForced = request.action === 'disable' && node.release.forced;
      const isSame = layer === activeDefinition(node);
      const forced = isSame ? release.forced : keepsForced;
      return done(await this.#write(change, { ...next, release: { ...release, forced } }, result));
    }
    const mayForce = request.force === true || (request.action === 'enable' && release.forced);
    if (!mayForce) return this.#refuse(change, trouble);
    return this.#force(change, next);
  }

  /** Nothing is judged, so no release in stages stays that would build on it. */
  async #force(change: Change, next: Next): Promise<Outcome<Prepared<ReleaseView>>> {
    const { node, root } = change;
    const own = hypothesisOf(node, next);
    const dropped = dropping(root.tree, own, []).all.map((one) => one.drop(reasonOf(change)));
    const { hypothesis } = dropping(root.tree, own, dropped);
    const variants = await allVariants(this.context, root.tree, { ...hypothesis, unchecked: true });
    const tooLarge = refusal(variants);
    if (tooLarge !== undefined) return { ok: false, problem: tooLarge };
    const forced = { ...next, release: { ...next.release, forced: true } };
    return done(await this.#write(change, forced, { variants, dropped }));
  }

  /**
   * What the change makes of what consumers read, where these releases end with it. What goes back or
   * away is not stopped by releases in stages that it does not fit: they are dropped with it too.
   */
  async #evaluate(
    change: Change,
    own: Hypothesis,
    ended: readonly Dropped[],
  ): Promise<Consequences> {
    const { root, request } = change;
    const { tree } = root;
    const drops = request.action === 'rollback' || request.action === 'disable';
    let dropped = ended;
    for (let round = 1; ; round += 1) {
      const { hypothesis, all } = dropping(tree, own, dropped);
      const variants = await allVariants(this.context, tree, hypothesis);
      const troubled = smallestCohorts(troubledCohorts(variants));
      const isLast = troubled.length > 0 && round > ROUNDS;
      const wanted = isLast ? all : all.filter((one) => one.isIn(troubled));
      if (!drops || wanted.length === 0) return { variants, dropped };
      dropped = [...dropped, ...wanted.map((one) => one.drop(reasonOf(change)))];
    }
  }

  /** A refused rollback names a version that would pass. */
  async #refuse(change: Change, trouble: Problem): Promise<Outcome<never>> {
    const { node, request, root } = change;
    if (request.action !== 'rollback') return { ok: false, problem: trouble };
    const advice = await newestValidVersion(this.context, root, {
      address: node.address,
      below: node.release.stableVersion ?? 0,
    });
    return { ok: false, problem: { ...trouble, detail: `${trouble.detail}; ${advice}` } };
  }

  async #definition(change: Change, version: number | null): Promise<Definition | null> {
    const { node, root } = change;
    if (version === null) return null;
    const known = [node.stable, node.candidate, node.newest];
    const found = known.find((definition) => definition?.version === version);
    return found ?? storedDefinition(this.context, root, { address: node.address, version });
  }

  #unchanged({ tree }: OwnedRoot, node: AddressNode): Prepared<ReleaseView> {
    const body = releaseView(node.address, node.release, this.#about(tree, node));
    return { status: 200, body, changes: null, apply: () => undefined };
  }

  async #write(
    change: Change,
    next: Next,
    { variants, dropped }: Consequences,
  ): Promise<Prepared<ReleaseView>> {
    const { root, node } = change;
    const { release, stable, candidate } = next;
    const releases = [
      { address: node.address.text, next: release },
      ...dropped.map((one) => ({ address: one.node.address.text, next: one.release })),
    ];
    const heads = await variantHeads(this.context, root, { node, releases, variants });
    return {
      status: 200,
      body: {
        ...releaseView(node.address, release, this.#about(root.tree, node)),
        ...droppedView(change, release),
        ...abortedView(dropped),
      },
      changes: {
        ...NO_CHANGES,
        releases,
        snapshots: heads.map(({ head }) => head),
        history: linesOf(this.#told(change), release, dropped),
      },
      apply: () => {
        Object.assign(node, { release, stable, candidate });
        for (const one of dropped)
          Object.assign(one.node, { release: one.release, candidate: null });
        takeHeads(root, heads, this.publication);
        root.tree.noteRelease(node);
        for (const one of dropped) root.tree.noteRelease(one.node);
        wakeFor(this.context, node);
      },
    };
  }

  #about(tree: RootTree, node: AddressNode): AboutRelease {
    const frozen = frozenView(this.context, tree, node.address);
    return { pinnedBelow: pinnedBelow(tree, node), ...frozen };
  }

  #told({ root, node, request, context, begins, isExpiry = false }: Change): ToldChange {
    const goesOn = request.action === 'advance' || request.action === 'skip';
    const without = goesOn && context.actor !== OWNER ? passedOver(root, node) : '';
    const when = { author: context.actor, at: this.#now() };
    return { node, request, ...when, without, isExpiry, isQueued: begins !== undefined };
  }

  #now(): string {
    return this.context.formatTime(this.context.clock.wallMs());
  }
}

function noLongerSo({ release }: AddressNode): Outcome<never> {
  const detail = 'what this was decided by has changed meanwhile: look again';
  const { releaseVersion } = release;
  return refused('version-mismatch', detail, { currentReleaseVersion: releaseVersion });
}

/** Those of releases without any of which nothing would be wrong: a cohort of more has their trouble too. */
function smallestCohorts(troubled: ReadonlySet<string>): string[] {
  const cohorts = [...troubled]
    .filter((key) => key !== STABLE_COHORT)
    .map((key) => ({ key, releases: new Set(releasesOf(key)) }));
  const isIn = (one: ReadonlySet<string>, other: ReadonlySet<string>): boolean =>
    one.size < other.size && [...one].every((release) => other.has(release));
  return cohorts
    .filter(({ releases }) => !cohorts.some((other) => isIn(other.releases, releases)))
    .map(({ key }) => key);
}

/** Whether snapshots stay as they are. */
function isAsBefore(before: ReleaseState, next: ReleaseState): boolean {
  return (
    before.contributionAt === next.contributionAt && before.staged?.stage === next.staged?.stage
  );
}

/** What was queued before and is no more, unless it is that which begins. */
function droppedView(
  { node, begins }: Change,
  release: ReleaseState,
): Pick<ReleaseView, 'dropped'> {
  const dropped = begins === undefined ? droppedOf(node.release, release) : null;
  return dropped === null ? {} : { dropped: queuedView(dropped) };
}

function hypothesisOf({ address }: AddressNode, next: Next): Hypothesis {
  const { staged } = next.release;
  const candidate = staged === null ? null : { id: staged.id, layer: next.candidate };
  const change = { layer: activeDefinition(next), candidate };
  return { address, changes: new Map([[address.text, change]]) };
}
