import { done, refused } from '@pawl/contracts';
import type { Address, Outcome, ReleaseRequest, ReleaseView, SnapshotInput } from '@pawl/contracts';
import { planTransition } from '@pawl/domain';
import type { Definition, ReleaseState } from '@pawl/domain';
import type { CommandContext, Written } from '../config-engine.js';
import { refusal } from './refusal.js';
import type { EngineContext } from '../engine-context.js';
import type { Publication } from '../publication/publication.js';
import { asNewSnapshot, headOf, inputsOf } from '../sharding/build-nodes.js';
import type { OwnedRoot } from '../sharding/owned-shard.js';
import type { AddressNode } from '../sharding/root-tree.js';
import { NO_CHANGES } from '../sharding/run-command.js';
import type { CommandRunner, Prepared } from '../sharding/run-command.js';
import { evaluateChange } from './evaluate-change.js';
import type { Variant } from './evaluate-change.js';
import { newestValidVersion } from './newest-valid-version.js';

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
      return done(this.#write(change, { next, stable, variants: [] }));
    }
    const layer = next.state === 'disabled' ? null : stable;
    const hypothesis = { address: node.address, layer };
    const variants = await evaluateChange(this.context, change.root.tree, hypothesis, 'all');
    const trouble = refusal(variants);
    const forced = trouble !== undefined && request.force === true;
    if (trouble !== undefined && (!forced || trouble.code === 'too-large')) {
      if (request.action !== 'rollback') return { ok: false, problem: trouble };
      const advice = await newestValidVersion(this.context, change.root, {
        address: node.address,
        below: node.release.stableVersion ?? 0,
      });
      return { ok: false, problem: { ...trouble, detail: `${trouble.detail}; ${advice}` } };
    }
    return done(this.#write(change, { next: { ...next, forced }, stable, variants }));
  }

  async #stable(change: Change, next: ReleaseState): Promise<Definition | null> {
    const { node, root } = change;
    const version = next.stableVersion;
    if (version === null) return null;
    if (version === node.stable?.version) return node.stable;
    if (version === node.newest?.version) return node.newest;
    const stored = await this.context.truth.readDefinition(root.shard, node.address.text, version);
    if (stored === undefined) throw new Error(`version ${version} of ${node.address.text} is gone`);
    return stored;
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
      readonly variants: readonly Variant[];
    },
  ): Prepared<ReleaseView> {
    const { root, node, request, context } = change;
    const { next, stable, variants } = result;
    const heads = variants.map((variant) => this.#head(root, variant, { node, next }));
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
            ...(next.forced ? { forced: true as const } : {}),
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
          this.publication.enqueue(root, variant.node);
        }
      },
    };
  }

  #head(
    root: OwnedRoot,
    variant: Variant,
    changed: { readonly node: AddressNode; readonly next: ReleaseState },
  ): { readonly variant: Variant; readonly head: AddressNode['head'] } {
    const release = { address: changed.node.address, release: changed.next };
    const inputs: SnapshotInput[] = inputsOf(root.tree, variant.address, release);
    const head = headOf(this.context, variant.address, {
      generation: this.context.installation.generation,
      version: (variant.node?.head.version ?? 0) + 1,
      inputs,
      document: variant.document,
    });
    return { variant, head };
  }
}
