import { done, LIMITS, refused } from '@pawl/contracts';
import type { Address, Outcome, Problem, ReleaseRequest, ReleaseView } from '@pawl/contracts';
import { planTransition } from '@pawl/domain';
import type { Definition, ReleaseState, SnapshotHead } from '@pawl/domain';
import type { CommandContext, Written } from '../config-engine.js';
import { refusal } from './refusal.js';
import type { EngineContext } from '../engine-context.js';
import { Turns } from '../turns.js';
import type { Publication } from '../publication/publication.js';
import { asNewSnapshot, headOf, inputsOf } from '../sharding/build-nodes.js';
import type { OwnedRoot } from '../sharding/owned-shard.js';
import type { AddressNode } from '../sharding/root-tree.js';
import { storedDefinition } from '../sharding/stored-definition.js';
import { NO_CHANGES } from '../sharding/truth-store.port.js';
import type { CommandRunner, Prepared } from '../sharding/run-command.js';
import { allVariants } from './evaluate-change.js';
import type { Variant } from './evaluate-change.js';
import { newestValidVersion } from './newest-valid-version.js';

interface VariantHead {
  readonly variant: Variant;
  readonly head: SnapshotHead;
}

interface Change {
  readonly root: OwnedRoot;
  readonly node: AddressNode;
  readonly request: ReleaseRequest;
  readonly context: CommandContext;
}

export function releaseView(address: Address, release: ReleaseState): ReleaseView {
  const { state, releaseVersion, stableVersion, blockedVersions, forced } = release;
  return {
    address: address.text,
    state,
    releaseVersion,
    stableVersion,
    ...(blockedVersions.length === 0 ? {} : { blockedVersions: [...blockedVersions] }),
    ...(forced ? { forced: true as const } : {}),
  };
}

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
    const options = { name: 'release', address, mode: 'exclusive', context } as const;
    return this.commands.run(options, async (root) => {
      const node = root.tree.get(address);
      if (node === undefined) {
        return refused('not-found', `there is no definition at ${address.text} to release`);
      }
      return this.#prepare({ root, node, request, context });
    });
  }

  async #prepare(change: Change): Promise<Outcome<Prepared<ReleaseView>>> {
    const { node, request } = change;
    const plan = planTransition({
      state: node.release,
      newestVersion: node.newest?.version ?? 0,
      request,
      address: node.address.text,
    });
    if (!plan.ok) return plan;
    const { changed, next } = plan.value;
    if (!changed) return done(this.#unchanged(node));
    const stable = await this.#stable(change, next);
    if (next.contributionAt === node.release.contributionAt) {
      return done(this.#write(change, { next, stable, heads: [] }));
    }
    const layer = next.state === 'disabled' ? null : stable;
    const hypothesis = { address: node.address, layer };
    const variants = await allVariants(this.context, change.root.tree, hypothesis);
    const trouble = refusal(variants);
    if (trouble === undefined)
      return this.#commitVariants(change, { ...next, forced: false }, { stable, variants });
    const mayForce = request.force === true || (request.action === 'enable' && next.forced);
    if (!mayForce) return this.#refuse(change, trouble);
    const forced = await allVariants(this.context, change.root.tree, {
      ...hypothesis,
      unchecked: true,
    });
    const tooLarge = refusal(forced);
    if (tooLarge !== undefined) return { ok: false, problem: tooLarge };
    return this.#commitVariants(change, { ...next, forced: true }, { stable, variants: forced });
  }

  async #commitVariants(
    change: Change,
    next: ReleaseState,
    result: { readonly stable: Definition | null; readonly variants: readonly Variant[] },
  ): Promise<Outcome<Prepared<ReleaseView>>> {
    const keepsForced = change.request.action === 'disable' && change.node.release.forced;
    const final = { ...next, forced: next.forced || keepsForced };
    const { stable, variants } = result;
    const heads = await this.#heads(change, final, variants);
    return done(this.#write(change, { next: final, stable, heads }));
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

  async #stable(change: Change, next: ReleaseState): Promise<Definition | null> {
    const { node, root } = change;
    const version = next.stableVersion;
    if (version === null) return null;
    if (version === node.stable?.version) return node.stable;
    if (version === node.newest?.version) return node.newest;
    return storedDefinition(this.context, root, { address: node.address, version });
  }

  #unchanged(node: AddressNode): Prepared<ReleaseView> {
    const body = releaseView(node.address, node.release);
    return { status: 200, body, changes: null, apply: () => undefined };
  }

  #write(
    change: Change,
    result: {
      readonly next: ReleaseState;
      readonly stable: Definition | null;
      readonly heads: readonly VariantHead[];
    },
  ): Prepared<ReleaseView> {
    const { root, node, request, context } = change;
    const { next, stable, heads } = result;
    const { address } = node;
    const version = request.targetVersion ?? next.stableVersion;
    return {
      status: 200,
      body: releaseView(address, next),
      changes: {
        ...NO_CHANGES,
        releases: [{ address: address.text, next }],
        snapshots: heads.map(({ head }) => asNewSnapshot(head)),
        history: [
          {
            address: address.text,
            at: this.context.formatTime(this.context.clock.wallMs()),
            author: context.actor,
            kind: 'release',
            action: request.action,
            releaseVersion: next.releaseVersion,
            ...(version === null ? {} : { version }),
            ...(request.reason === undefined ? {} : { reason: request.reason }),
            ...(next.forced && request.action !== 'disable' ? { forced: true as const } : {}),
          },
        ],
      },
      apply: () => {
        node.release = next;
        node.stable = stable;
        for (const { variant, head } of heads) {
          if (variant.node === undefined) continue;
          variant.node.head = head;
          variant.node.effective = variant.document;
          variant.node.handedDown = variant.handedDown;
          this.publication.enqueue(root, variant.node);
        }
      },
    };
  }

  /** The next snapshot head of each variant; gives the event loop a turn between portions. */
  async #heads(
    change: Change,
    next: ReleaseState,
    variants: readonly Variant[],
  ): Promise<VariantHead[]> {
    const { tree } = change.root;
    const changed = { address: change.node.address, release: next };
    const heads: VariantHead[] = [];
    const turns = new Turns(this.context.scheduler);
    for (const variant of variants) {
      const head = headOf(this.context, variant.address, {
        generation: tree.generation,
        version: (variant.node?.head.version ?? 0) + 1,
        inputs: inputsOf(tree, variant.address, changed),
        document: variant.document,
        variant: { hash: variant.hash, size: variant.size, absent: variant.document === null },
      });
      heads.push({ variant, head });
      await turns.spent(Math.min(variant.size, LIMITS.inlineBytes));
    }
    return heads;
  }
}
