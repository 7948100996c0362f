import { parseAddress } from '@pawl/contracts';
import type { AddressText, ReleaseRequest } from '@pawl/contracts';
import type { NodesWorld } from './nodes-world.js';
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

/** What has been the same at an address, and since when. */
interface Steady {
  readonly what: string;
  readonly sinceMs: number;
}

/**
 * From the end of the faults on: lifts freezes, says yes where a person is asked, resumes what is paused once
 * and aborts it then, and leaves all else to owners. Every release ends.
 */
export class ClosingOperator {
  readonly #writer: WorldWriter;
  readonly #steady = new Map<AddressText, Steady>();
  readonly #busy = new Set<AddressText>();
  /** Releases that got another try. */
  readonly #tried = new Set<string>();

  constructor(private readonly world: NodesWorld) {
    this.#writer = new WorldWriter(world, 'z');
  }

  start(): void {
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
      const { staged, queued } = truth.release(at);
      return staged !== null || queued !== null;
    });
  }

  #look(at: AddressText): void {
    const { state, staged, queued, stableVersion } = this.world.ledger.truth.release(at);
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
    const parsed = parseAddress(at);
    if (!parsed.ok) return;
    const { address } = parsed;
    const nodes = [...this.world.nodes.values()];
    const owner = nodes.find(({ engine }) => engine.serves(address.root));
    const view = await owner?.engine.use.getRollout(address);
    const shown = view?.ok === true ? view.value.releases?.find((one) => one.id === id) : undefined;
    const { reason = '', stage = -1 } = shown ?? {};
    if (reason.includes('approve this stage')) return this.#do(at, 'approve');
    if (reason.includes('held: ')) return this.#try(at, id, 'advance');
    const waits = WAITS.test(reason) ? `${id} ${stage} ${reason}` : '';
    if (!this.#isSteady(at, waits, STEADY_MS)) return;
    this.#do(at, this.world.rng.below(2) === 0 ? 'advance' : 'abort');
  }

  #isSteady(at: AddressText, what: string, forMs: number): boolean {
    const nowMs = this.world.nowMs();
    const known = this.#steady.get(at);
    if (known?.what !== what) this.#steady.set(at, { what, sinceMs: nowMs });
    return what !== '' && known?.what === what && nowMs - known.sinceMs > forMs;
  }

  #do(at: AddressText, action: ReleaseRequest['action']): void {
    if (this.#busy.has(at)) return;
    this.#busy.add(at);
    this.world.reached(`in the end: ${action}`);
    const asks = this.#writer.release(at, (reason) => ({ action, reason }));
    void asks.then(() => this.#busy.delete(at));
  }
}
