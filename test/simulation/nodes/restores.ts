import type { Engine } from '@pawl/engine';
import type { KeptCopy } from './ledger.js';
import type { NodesWorld } from './nodes-world.js';

/** Between two copies of PostgreSQL, and how many are kept. */
const COPY_MS = 1_500;
const COPIES = 6;
/** Between two looks of the operator, and how long he waits before he accepts what he saw. */
const LOOK_MS = 1_000;
const ACCEPT_MS = 5_000;

type Seen = Parameters<Engine['restore']['accept']>[0]['seen'];

interface Copy {
  readonly kept: KeptCopy;
  readonly putBack: (timeline?: string) => void;
}

/**
 * PostgreSQL that loses what it had: the files of an older copy, or an asynchronous standby that is
 * promoted; and the operator who accepts it.
 */
export class Restores {
  readonly #copies: Copy[] = [];
  #timelines = 1;
  #seenMs: number | null = null;

  constructor(private readonly world: NodesWorld) {}

  start(): void {
    this.#copyNow();
    this.#look();
  }

  /** Copies that are newer than the one that is there may come back too. */
  strike(): void {
    const { world } = this;
    const copy = this.#copies[world.rng.below(this.#copies.length)];
    if (copy === undefined || (this.#seenMs !== null && world.rng.below(4) > 0)) return;
    const isPromoted = world.rng.below(2) === 0;
    world.reached(isPromoted ? 'standby promoted that lagged' : 'older copy restored');
    if (isPromoted) this.#timelines += 1;
    copy.putBack(isPromoted ? `1/0000000${this.#timelines}` : undefined);
    world.ledger.restored(copy.kept);
    world.histories.restored(world.ledger.truth);
    world.note(
      `PostgreSQL is what it was at ${copy.kept.atMs.toFixed(0)}, promoted: ${isPromoted}`,
    );
    world.postgres.refuse();
    world.later(50 + world.rng.next() * 3_000, () => world.postgres.resume());
  }

  #copyNow(): void {
    const { world } = this;
    this.#copies.push({ kept: world.ledger.keep(), putBack: world.postgres.keep() });
    if (this.#copies.length > COPIES) this.#copies.splice(world.rng.below(COPIES), 1);
    if (!world.isOver) world.later(COPY_MS * 2 * world.rng.next(), () => this.#copyNow());
  }

  /** Until the end of the world. */
  #look(): void {
    this.world.later(LOOK_MS, () => this.#look());
    this.#onNode(async ({ restore }) => {
      const view = await restore.status();
      if (!view.ok) return;
      const { generation, shards } = view.value;
      const seen = { generation, shards: shards.map(({ shard }) => shard) };
      if (shards.length === 0) this.#seenMs = null;
      else this.#saw(seen, this.world.nowMs());
    });
  }

  #saw(seen: Seen, nowMs: number): void {
    this.#seenMs ??= nowMs + this.world.rng.next() * ACCEPT_MS;
    if (nowMs < this.#seenMs) return;
    this.#seenMs = null;
    this.#onNode(async ({ restore }) => {
      const accepted = await restore.accept({ actor: 'operator', reason: 'it is gone', seen });
      if (accepted.ok && accepted.value.accepted) this.world.reached('restore accepted');
    });
  }

  #onNode(work: (engine: Engine) => Promise<void>): void {
    const nodes = [...this.world.nodes.values()].filter((node) => node.listens);
    const node = nodes[this.world.rng.below(Math.max(1, nodes.length))];
    node?.process.time.run(() => {
      work(node.engine).catch((error: unknown) => {
        this.world.judge.demand(false, `an operator is answered: ${String(error)}`);
      });
    });
  }
}
