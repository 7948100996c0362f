import { parseAddress } from '@pawl/contracts';
import type { Ack, AddressText } from '@pawl/contracts';
import { ConsumerLife } from './consumer-life.js';
import type { ControlPlaneNode } from './control-plane-node.js';
import type { SimulatedConsumer, Temper } from './consumer.js';
import { HeardRejections } from './heard-rejections.js';
import type { KeptHead } from './kept-truth.js';
import type { NodesWorld } from './nodes-world.js';
import type { OwnClock } from './stage-clocks.js';
import { CLOCK_JUMP_MS } from './world-faults.js';

/** An owner is struck so soon after he took a release to its next stage, now and then. */
const STRIKE_MS = 1_500;
const STRIKES = 3;
/** Between two questions to owners, and how long the same must be the answer. */
const ASK_MS = 1_000;
const STEADY_MS = 12_000;
/** What a release may wait for that nobody ends. */
const WAITS = /^no live instance |^of \w+ no candidate |^no instance of /;

/** What a world with releases in stages has beside others. */
export class StagedLife {
  readonly consumers: ConsumerLife;
  readonly #heard: HeardRejections;
  readonly #waits = new Map<AddressText, { readonly why: string; readonly sinceMs: number }>();

  constructor(
    private readonly world: NodesWorld,
    private readonly struck: (node: ControlPlaneNode) => void,
  ) {
    this.consumers = new ConsumerLife(world);
    this.#heard = new HeardRejections(() => world.nowMs());
  }

  temper(index: number): Temper {
    return this.consumers.temper(index);
  }

  acked(owner: string, ack: Ack): void {
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

  /** In a calm world; in others messages are lost, and nodes stand still for long. */
  rejections(
    head: KeptHead,
    { release, owner }: { readonly release: string; readonly owner: string },
  ): readonly string[] {
    if (!this.world.isCalm) return [];
    return this.#heard.of(release, { owner, head }, this.world.consumers);
  }

  wentOn(owner: string): void {
    const { world } = this;
    if (world.isCalm || world.isOver || world.rng.below(STRIKES) > 0) return;
    world.later(STRIKE_MS * world.rng.next(), () => {
      const node = [...world.nodes.values()].find((each) => each.owner === owner);
      if (node !== undefined && !world.isOver) this.struck(node);
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

  /** Whether every release in stages is over, or waits for what its owner has named for a while. */
  get isSettled(): boolean {
    const { truth, addresses } = this.world.ledger;
    return addresses.every((at) => {
      const { state, staged } = truth.release(at);
      if (staged === null || state === 'paused') return true;
      return this.world.nowMs() - (this.#waits.get(at)?.sinceMs ?? Infinity) > STEADY_MS;
    });
  }

  /** Asks owners, from the end of the faults on, what releases wait for. */
  askOwners(): void {
    for (const at of this.world.ledger.addresses) this.#askOwner(at);
    this.world.later(ASK_MS, () => this.askOwners());
  }

  #askOwner(at: AddressText): void {
    const parsed = parseAddress(at);
    const { staged } = this.world.ledger.truth.release(at);
    if (!parsed.ok || staged === null) return void this.#waits.delete(at);
    const { address } = parsed;
    const owner = [...this.world.nodes.values()].find(({ engine }) => engine.serves(address.root));
    void owner?.engine.use.getRollout(address).then((view) => {
      const shown = view.ok ? view.value.releases?.find(({ id }) => id === staged.id) : undefined;
      const { reason = '', stage = -1 } = shown ?? {};
      const why = `${stage} ${reason}`;
      if (!WAITS.test(reason)) this.#waits.delete(at);
      else if (this.#waits.get(at)?.why !== why) {
        this.#waits.set(at, { why, sinceMs: this.world.nowMs() });
      }
    });
  }
}
