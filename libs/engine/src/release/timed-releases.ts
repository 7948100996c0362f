import type { Address, Outcome, Problem } from '@pawl/contracts';
import { PROBLEMS, refused } from '@pawl/contracts';
import type { QueuedRelease } from '@pawl/domain';
import type { EngineContext } from '../engine-context.js';
import type { OwnedRoot } from '../sharding/owned-shard.js';
import type { AddressNode } from '../sharding/root-tree.js';
import type { ShardRegistry } from '../sharding/shard-registry.js';
import { OWNER } from './change-release.js';
import type { ChangeRelease } from './change-release.js';
import type { ExpiredPins } from './expired-pins.js';
import type { PausedReleases } from './paused-releases.js';
import { problemLine } from './problem-line.js';
import { frozenFor } from './release-policy.js';
import { RunningWork } from './running-work.js';

/**
 * Refusals that another release, a freeze, or a busy machine is the reason for: it begins once that has ended.
 * When it was queued there was time enough to check it.
 */
const WAITED_FOR: ReadonlySet<string> = new Set([
  ...['frozen', 'too-many-releases', 'validation-timeout'],
]);
/** Somebody was faster: the next look sees what is so now. */
const OVERTAKEN: ReadonlySet<string> = new Set(['version-mismatch', 'release-in-flight']);
/** As much as a reason may have. */
const MAX_REASON = 1024;

/** Nobody knows any more whether it was cancelled, or has begun, after the copy was made. */
const RESTORED = refused(
  'truth-behind',
  'it was queued before a restore was accepted: ask for it again if it is still to be',
);

/** What came of the last attempt at an address. */
interface Attempt {
  /** Of what is queued. */
  readonly id: string;
  /** Monotonic time before which there is no other. */
  readonly notBeforeMs: number;
  readonly why: string;
}

/**
 * Begins what is queued in the shards that this node serves, once nothing is under way and its time has
 * come by this node's wall clock. It does so as a promote does, under the fencing token and from the
 * release version that it saw, and what begins is queued no more: so it begins once, however often it is
 * looked at, by whomever, and however clocks are set. What is paused or pinned it has looked at, too.
 */
export class TimedReleases {
  readonly #attempts = new WeakMap<OwnedRoot, Map<Address['text'], Attempt>>();
  readonly #work: RunningWork;
  /** Addresses at which something is under way. */
  readonly #doing = new WeakMap<OwnedRoot, Set<Address['text']>>();

  constructor(
    private readonly context: EngineContext,
    private readonly parts: {
      readonly shards: ShardRegistry;
      readonly releases: ChangeRelease;
      readonly paused: PausedReleases;
      readonly pins: ExpiredPins;
    },
  ) {
    this.#work = new RunningWork(context.clock);
  }

  /** Looks at all that is queued, paused or pinned; called once a second. */
  look(): void {
    for (const shard of this.parts.shards.served()) {
      for (const root of shard.roots.values()) this.lookAt(root);
    }
  }

  /** Looks at what is so under one root. */
  lookAt(root: OwnedRoot): void {
    const { serving, behind } = root.shard;
    if (this.#work.isStopped || root.uncertain || !serving || behind !== null) return;
    for (const node of root.tree.timed()) {
      this.parts.paused.lookAt(node);
      this.parts.pins.lookAt(root, node);
      const { queued } = node.release;
      if (queued !== null && this.#mayBegin(root, node, queued)) this.#begin(root, node, queued);
    }
  }

  /** Why what is queued at an address has not begun; `undefined` where nothing is. */
  waitsFor(root: OwnedRoot, node: AddressNode): string | undefined {
    const { queued, staged, state } = node.release;
    if (queued === null) return undefined;
    const isDue = this.#isDue(queued);
    if (staged !== null) {
      const time = isDue ? '' : ', and its time';
      const version = staged.candidateVersion;
      return `the end of release ${staged.id} of version ${version}, which is ${state}${time}`;
    }
    if (!isDue) return 'its time';
    const frozen = this.#frozenFor(root, node, queued);
    if (frozen !== undefined) return `frozen: ${frozen}`;
    const attempt = this.#attempts.get(root)?.get(node.address.text);
    return attempt?.id === queued.id ? attempt.why : 'it begins';
  }

  /** Begins nothing more, and ends when nothing that it began is under way. */
  async stop(): Promise<void> {
    await Promise.all([this.#work.stop(), this.parts.paused.stop(), this.parts.pins.stop()]);
  }

  #mayBegin(root: OwnedRoot, node: AddressNode, queued: QueuedRelease): boolean {
    if (node.release.staged !== null || !this.#isDue(queued)) return false;
    const { text } = node.address;
    if (this.#doing.get(root)?.has(text) === true) return false;
    const attempt = this.#attempts.get(root)?.get(text);
    if (attempt?.id === queued.id && this.context.clock.monotonicMs() < attempt.notBeforeMs) {
      return false;
    }
    return this.#frozenFor(root, node, queued) === undefined;
  }

  #isDue({ beginAt }: QueuedRelease): boolean {
    const { clock, parseTime } = this.context;
    return beginAt === null || clock.wallMs() >= parseTime(beginAt);
  }

  #frozenFor(root: OwnedRoot, node: AddressNode, queued: QueuedRelease): string | undefined {
    if ((queued.freezeException ?? '').trim() !== '') return undefined;
    return frozenFor(this.context, root.tree, node.address);
  }

  #begin(root: OwnedRoot, node: AddressNode, queued: QueuedRelease): void {
    const { text } = node.address;
    const doing = this.#doing.get(root) ?? new Set();
    this.#doing.set(root, doing.add(text));
    this.#work.begin(() => this.#tryToBegin(root, node, queued), {
      failed: (error) => this.#failed(root, node, { id: queued.id, why: String(error) }),
      ended: () => void doing.delete(text),
    });
  }

  async #tryToBegin(root: OwnedRoot, node: AddressNode, queued: QueuedRelease): Promise<void> {
    const { id, targetVersion: version } = queued;
    const { releaseVersion } = node.release;
    const isRestored = queued.generation !== root.tree.generation;
    const outcome = isRestored ? RESTORED : await this.parts.releases.begin(node, queued);
    const fields = { address: node.address.text, release: id, version };
    if (outcome.ok) {
      this.context.log.info('a promote that was queued has begun', fields);
      return;
    }
    const { problem } = outcome;
    if (OVERTAKEN.has(problem.code)) return;
    if (WAITED_FOR.has(problem.code) || PROBLEMS[problem.code].retryable) {
      this.#failed(root, node, { id, why: problemLine(problem) });
      return;
    }
    const dropped = await this.#drop(node, { problem, releaseVersion });
    if (dropped.ok)
      this.context.log.warn('a promote that was queued is refused, and dropped', fields);
    else if (!OVERTAKEN.has(dropped.problem.code)) {
      this.#failed(root, node, { id, why: problemLine(dropped.problem) });
    }
  }

  #drop(
    { address }: AddressNode,
    of: { readonly problem: Problem; readonly releaseVersion: number },
  ): Promise<Outcome<unknown>> {
    const request = {
      action: 'cancel',
      expectedReleaseVersion: of.releaseVersion,
      reason: `it could not begin: ${problemLine(of.problem)}`.slice(0, MAX_REASON),
    };
    return this.parts.releases.run(address, request, { actor: OWNER });
  }

  #failed(root: OwnedRoot, { address }: AddressNode, of: Pick<Attempt, 'id' | 'why'>): void {
    const attempts = this.#attempts.get(root) ?? new Map<Address['text'], Attempt>();
    this.#attempts.set(root, attempts);
    attempts.set(address.text, { ...of, notBeforeMs: this.#work.retryAtMs });
    const fields = { address: address.text, release: of.id, error: of.why };
    this.context.log.warn('a promote that was queued could not begin; will be tried again', fields);
  }
}
