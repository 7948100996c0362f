import { LIMITS } from '@pawl/contracts';
import type { SnapshotHead } from '@pawl/domain';
import type { EngineContext } from '../engine-context.js';
import { Turns } from '../turns.js';
import { TruthBehindError } from './behind-shards.js';
import { nextHead } from './build-nodes.js';
import type { OwnedRoot } from './owned-shard.js';
import type { AddressNode } from './root-tree.js';
import { FencedError, NO_CHANGES } from './truth-store.port.js';
import type { Changeset, CommitOutcome } from './truth-store.port.js';

/** Snapshot heads renewed in one transaction. */
const HEADS_PER_COMMIT = 256;

/** Commits snapshot versions that no command asked for. */
export class SnapshotHeads {
  constructor(
    private readonly context: EngineContext,
    private readonly host: {
      commit(root: OwnedRoot, changeset: Changeset): Promise<CommitOutcome>;
      doubt(root: OwnedRoot): void;
    },
  ) {}

  /** Commits new snapshot versions for nodes whose stored one is missing or not what recomputing gives. */
  async renew(root: OwnedRoot, stale: readonly AddressNode[]): Promise<void> {
    if (stale.length === 0 || root.shard.behind !== null) return;
    const renewed = stale.map((node) => ({ node, above: node.head.version }));
    for (const { node } of renewed) node.published = null;
    for (let start = 0; start < renewed.length; start += HEADS_PER_COMMIT) {
      await this.raise(root, renewed.slice(start, start + HEADS_PER_COMMIT));
    }
  }

  /** Commits next snapshot versions, above these. */
  async raise(
    root: OwnedRoot,
    raised: readonly { readonly node: AddressNode; readonly above: number }[],
  ): Promise<void> {
    const turns = new Turns(this.context.scheduler);
    const heads: { readonly node: AddressNode; readonly head: SnapshotHead }[] = [];
    for (const { node, above } of raised) {
      heads.push({ node, head: nextHead(this.context, node, { tree: root.tree, above }) });
      await turns.spent(Math.min(node.head.variant.size, LIMITS.inlineBytes));
    }
    const changeset: Changeset = {
      ...NO_CHANGES,
      root: root.name,
      snapshots: heads.map(({ head }) => head),
      idempotency: null,
    };
    const outcome = await this.host.commit(root, changeset);
    if (outcome.kind === 'fenced') throw new FencedError(root.shard.shard, outcome.token);
    if (outcome.kind === 'behind') throw new TruthBehindError(`of shard ${root.shard.shard}`);
    if (outcome.kind === 'conflict') {
      this.host.doubt(root);
      throw new Error(`the truth changed under its owner: ${outcome.what}`);
    }
    for (const { node, head } of heads) node.head = head;
  }
}
