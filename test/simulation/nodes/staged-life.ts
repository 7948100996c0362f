import type { Ack } from '@pawl/contracts';
import { ClosingOperator } from './closing-operator.js';
import { ConsumerLife } from './consumer-life.js';
import type { ControlPlaneNode } from './control-plane-node.js';
import type { SimulatedConsumer, Temper } from './consumer.js';
import type { Span } from './freeze-rules.js';
import { Freezer } from './freezer.js';
import { HeardRejections } from './heard-rejections.js';
import type { KeptHead } from './kept-truth.js';
import type { NodesWorld } from './nodes-world.js';
import { Pinner } from './pinner.js';
import type { OwnClock } from './stage-clocks.js';
import type { Rejecting } from './staged-releases.js';
import { CLOCK_JUMP_MS } from './world-faults.js';
import type { WorldFaults } from './world-faults.js';

/** An owner is struck so soon after a release went to its next stage or was paused, or a scope was pinned, now and then. */
const STRIKE_MS = 1_500;
const STRIKES = 2;
/** So long before what is committed it may have been judged, and in a calm world. */
const JUDGED_MS = 20_000;
const SOON_JUDGED_MS = 500;

/** What a world with releases in stages has beside others. */
export class StagedLife {
  readonly consumers: ConsumerLife;
  readonly freezer: Freezer;
  readonly pinner: Pinner;
  /** Who ends what is left. */
  readonly closing: ClosingOperator;
  readonly #heard: HeardRejections;

  constructor(
    private readonly world: NodesWorld,
    private readonly faults: Pick<WorldFaults, 'betweenStages' | 'whilePaused' | 'whilePinned'>,
  ) {
    this.consumers = new ConsumerLife(world);
    this.freezer = new Freezer(world);
    this.pinner = new Pinner(world);
    this.closing = new ClosingOperator(world);
    this.#heard = new HeardRejections(() => world.nowMs());
  }

  start(): void {
    this.consumers.start();
    this.freezer.start();
    this.pinner.start();
  }

  temper(index: number): Temper {
    return this.consumers.temper(index);
  }

  acked(owner: string, ack: Ack): void {
    for (const { address, version, state, reason = '' } of ack.items) {
      const isRefused = state === 'rejected' && reason.startsWith('layer ');
      const what = `${ack.incarnation} refuses ${version} of ${address}, and is told of each fall`;
      this.world.judge.demand(!isRefused, `${what} (I6): ${reason}`);
    }
    this.#heard.acked(owner, ack);
  }

  claimed(owner: string): void {
    this.#heard.raised(owner);
  }

  clocks(): ReadonlyMap<string, OwnClock> {
    const clocks = new Map<string, OwnClock>();
    for (const { owner, process } of this.world.nodes.values()) {
      const { jumpedMs } = process.time;
      clocks.set(owner, {
        ms: process.time.monotonicMs() - jumpedMs,
        jumps: jumpedMs / CLOCK_JUMP_MS,
      });
    }
    return clocks;
  }

  /** All that the wall clock of an owner may have shown since he judged what he commits now: anything if he has died. */
  wallSpan(owner: string): Span {
    const node = [...this.world.nodes.values()].find((each) => each.owner === owner);
    if (node === undefined) return { fromMs: -Infinity, toMs: Infinity };
    const { least, most } = node.process.time.wallAheadMs;
    const nowMs = this.world.nowMs();
    const judgedMs = this.world.isCalm ? SOON_JUDGED_MS : JUDGED_MS;
    return { fromMs: nowMs + least - judgedMs, toMs: nowMs + most };
  }

  /** In a calm world; in others messages are lost, and nodes stand still for long. */
  rejections(
    head: KeptHead,
    { release, owner }: { readonly release: string; readonly owner: string },
  ): readonly Rejecting[] {
    if (!this.world.isCalm) return [];
    // Where a scope keeps another version nobody is a candidate.
    const reached = this.world.consumers.filter(({ address }) =>
      this.world.ledger.of(address).head?.releases.some(({ id }) => id === release),
    );
    return this.#heard.of(release, { owner, head }, reached);
  }

  wentOn(owner: string): void {
    this.#strike(owner, (node) => this.faults.betweenStages(node));
  }

  paused(owner: string): void {
    this.#strike(owner, (node) => this.faults.whilePaused(node));
  }

  pinned(owner: string): void {
    this.#strike(owner, (node) => this.faults.whilePinned(node));
  }

  #strike(owner: string, how: (node: ControlPlaneNode) => void): void {
    const { world } = this;
    if (world.isCalm || world.isOver || world.rng.below(STRIKES) > 0) return;
    world.later(STRIKE_MS * world.rng.next(), () => {
      const node = [...world.nodes.values()].find((each) => each.owner === owner);
      if (node !== undefined && !world.isOver) how(node);
    });
  }

  /** Whether it runs what is published as its cohort, or rejects that. */
  hasConverged(consumer: SimulatedConsumer, head: KeptHead): boolean {
    const key = consumer.cohort(head.releases);
    if (consumer.refuses(head.variants.get(key)?.document ?? null)) return true;
    const held = consumer.running?.head;
    return (
      held?.generation === head.generation && held.hash === head.hash && (held.cohort ?? '') === key
    );
  }

  /** No two that run hold the same place. */
  get isPlaced(): boolean {
    const places = this.world.consumers.map(({ who, address }) => {
      const [root = ''] = address.split('/', 1);
      return `${root} ${who.workload} ${who.slot ?? address}`;
    });
    return new Set(places).size === places.length;
  }
}
