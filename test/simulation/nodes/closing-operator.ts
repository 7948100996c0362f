import { parseAddress } from '@pawl/contracts';
import type { AddressText, ReleaseRequest, RolloutView } from '@pawl/contracts';
import type { ControlPlaneNode } from './control-plane-node.js';
import type { NodesWorld } from './nodes-world.js';
import { breaksWithout, nameOf } from './pin-rules.js';
import type { Pin } from './pin-rules.js';
import { SHORTEST_PIN_MS } from './staged-scenery.js';
import { WorldWriter } from './writer.js';

const ASK_MS = 1_000;
/** How long the same must be what a release waits for before somebody decides. */
const STEADY_MS = 4_000;
/** Longer than any world gives what is to begin at a time. */
const OVERDUE_MS = 15_000;
/** What a release may wait for that nobody but a person ends. */
const WAITS = /^no live instance |^of \w+ no candidate |^no instance of /;
/** One that may be paused for longer is not waited for. */
const SHORT_PAUSE_MS = 30_000;
/** A pin that ends so soon is waited for, and one that is so late is asked about. */
const SOON_MS = 6_000;
const LATE_PIN_MS = 6_000;
/** What is told of one that its owner has not tried to end. */
const ABOUT_TO_END = 'it is about to end';

/** What has been the same at an address, and since when. */
interface Steady {
  readonly what: string;
  readonly sinceMs: number;
}

/**
 * From the end of the faults on: lifts freezes, says yes where a person is asked, resumes what is paused once
 * and aborts it then, unpins what is pinned for long, and leaves all else to owners. Every release ends, and
 * every pin.
 */
export class ClosingOperator {
  readonly #writer: WorldWriter;
  readonly #steady = new Map<string, Steady>();
  readonly #busy = new Set<AddressText>();
  /** Releases that got another try. */
  readonly #tried = new Set<string>();
  /** Pins that stay, since what would come back is not valid. */
  readonly #staying = new Set<string>();
  #hasBegun = false;

  constructor(private readonly world: NodesWorld) {
    this.#writer = new WorldWriter(world, 'z');
  }

  start(): void {
    if (!this.#hasBegun) this.#setClocks();
    for (const at of this.world.ledger.addresses) if (!this.#busy.has(at)) this.#look(at);
    this.world.later(ASK_MS, () => this.start());
  }

  /** Nothing is under way, and nothing is to begin. */
  get isDone(): boolean {
    return this.left.length === 0;
  }

  /** Where something is under way, or is to begin. */
  get left(): AddressText[] {
    const { truth, addresses } = this.world.ledger;
    return addresses.filter((at) => {
      const { staged, queued, pins } = truth.release(at);
      const ends = pins.some((pin) => !this.#staying.has(`${at} ${nameOf(pin)}`));
      return staged !== null || queued !== null || ends;
    });
  }

  #look(at: AddressText): void {
    const { state, staged, queued, stableVersion, pins } = this.world.ledger.truth.release(at);
    for (const pin of pins) void this.#lookAtPin(at, pin);
    const isPolicy = at.includes(':');
    if (isPolicy && state !== 'disabled' && stableVersion !== null) this.#do(at, 'disable');
    if (staged === null) {
      const isLate = queued !== null && this.#isSteady(at, queued.id, OVERDUE_MS);
      // By a clock that was set back.
      if (isLate && queued.beginAt !== null) this.#do(at, 'cancel');
      return;
    }
    if (state !== 'paused') return void this.#ask(at, staged.id);
    if ((staged.expireMs ?? Infinity) < SHORT_PAUSE_MS) return;
    this.#try(at, staged.id, 'resume');
  }

  /** Gives it another try, or does this, and aborts it when that was not enough. */
  #try(at: AddressText, id: string, action: 'resume' | 'advance'): void {
    if (this.#busy.has(at)) return;
    const other = this.world.rng.below(2) === 0 ? 'resume' : action;
    this.#do(at, this.#tried.has(id) ? 'abort' : other);
    this.#tried.add(id);
  }

  /** Asks the owner what a release that rolls waits for. */
  async #ask(at: AddressText, id: string): Promise<void> {
    const view = await this.#rollout(at);
    const shown = view?.releases?.find((one) => one.id === id);
    const { reason = '', stage = -1 } = shown ?? {};
    if (reason.includes('approve this stage')) return this.#do(at, 'approve');
    if (reason.includes('held: ')) return this.#try(at, id, 'advance');
    const waits = WAITS.test(reason) ? `${id} ${stage} ${reason}` : '';
    if (!this.#isSteady(at, waits, STEADY_MS)) return;
    this.#do(at, this.world.rng.below(2) === 0 ? 'advance' : 'abort');
  }

  /** Time passes at once, as far as pins go that end soon. */
  #setClocks(): void {
    this.#hasBegun = true;
    for (const { process } of this.world.nodes.values()) process.time.setWall(SHORTEST_PIN_MS);
  }

  /** Ends a pin that is for long; the others owners end by themselves, unless that would break a schema. */
  async #lookAtPin(at: AddressText, pin: Pin): Promise<void> {
    const owner = this.#ownerOf(at);
    if (owner === undefined) return;
    const name = `${at} ${nameOf(pin)}`;
    const leftMs = Date.parse(pin.until) - owner.process.time.wallMs();
    if (leftMs > SOON_MS) return this.#unpin(at, pin);
    if (leftMs > 0 || !this.#isSteady(name, name, LATE_PIN_MS)) return;
    const view = await this.#rollout(at);
    const shown = view?.pins?.find((one) => one.pinnedAt === at && one.ancestor === pin.ancestor);
    const hasTried = (shown?.overdue ?? ABOUT_TO_END) !== ABOUT_TO_END;
    if (hasTried) this.#unpin(at, pin);
  }

  #unpin(at: AddressText, pin: Pin): void {
    const stays = breaksWithout(this.world.ledger.truth, at, pin);
    if (!stays) return this.#do(at, 'unpin', { ancestor: pin.ancestor });
    this.#staying.add(`${at} ${nameOf(pin)}`);
    this.world.reached('in the end: a pin stays, for a schema');
  }

  async #rollout(at: AddressText): Promise<RolloutView | undefined> {
    const parsed = parseAddress(at);
    if (!parsed.ok) return undefined;
    const view = await this.#ownerOf(at)?.engine.use.getRollout(parsed.address);
    return view?.ok === true ? view.value : undefined;
  }

  #ownerOf(at: AddressText): ControlPlaneNode | undefined {
    const parsed = parseAddress(at);
    const nodes = [...this.world.nodes.values()];
    return nodes.find(({ engine }) => parsed.ok && engine.serves(parsed.address.root));
  }

  #isSteady(at: string, what: string, forMs: number): boolean {
    const nowMs = this.world.nowMs();
    const known = this.#steady.get(at);
    if (known?.what !== what) this.#steady.set(at, { what, sinceMs: nowMs });
    return what !== '' && known?.what === what && nowMs - known.sinceMs > forMs;
  }

  #do(
    at: AddressText,
    action: ReleaseRequest['action'],
    of: Pick<ReleaseRequest, 'ancestor'> = {},
  ): void {
    if (this.#busy.has(at)) return;
    this.#busy.add(at);
    this.world.reached(`in the end: ${action}`);
    const asks = this.#writer.release(at, (reason) => ({ ...of, action, reason }));
    void asks.then(() => this.#busy.delete(at));
  }
}
