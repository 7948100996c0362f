import type { AddressText } from '@pawl/contracts';
import { interruptedRelease } from '@pawl/domain';
import type { Pin } from '@pawl/domain';
import type { EngineContext } from '../engine-context.js';
import type { OwnedRoot } from '../sharding/owned-shard.js';
import type { AddressNode } from '../sharding/root-tree.js';
import type { ChangePins } from './change-pins.js';
import { OWNER } from './change-release.js';
import { problemLine } from './problem-line.js';
import { frozenFor } from './release-policy.js';
import { RunningWork } from './running-work.js';

/** Pause after the first attempt that did not succeed, milliseconds; twice as long after each further one. */
const RETRY_MS = 10_000;
const MAX_RETRY_MS = 600_000;

/** What came of the last attempt to end a pin. */
interface Attempt {
  /** That of the pin: another pin of the same layer begins anew. */
  readonly until: string;
  /** Monotonic time before which there is no other. */
  readonly notBeforeMs: number;
  readonly pauseMs: number;
  readonly why: string;
}

type Attempts = Map<AddressText, Attempt>;

/**
 * Ends pins whose time has passed by this node's wall clock, as an `unpin` does: under the fencing token, from
 * the release version that it saw. In a freeze, and in a release in the middle of which it was made, a pin waits
 * for its end, and where what would come back is not valid it stays, and that is tried again now and then.
 */
export class ExpiredPins {
  readonly #attempts = new WeakMap<AddressNode, Attempts>();
  readonly #busy = new WeakSet<AddressNode>();
  readonly #work: RunningWork;

  constructor(
    private readonly context: EngineContext,
    private readonly pins: ChangePins,
  ) {
    this.#work = new RunningWork(context.clock);
  }

  /** Ends a pin of an address that this node serves, if its time has passed; one at a time. */
  lookAt(root: OwnedRoot, node: AddressNode): void {
    const { pins } = node.release;
    if (pins.length === 0 || this.#work.isStopped || this.#busy.has(node)) return;
    const nowMs = this.context.clock.monotonicMs();
    const due = pins.find((pin) => {
      const isDue = this.#isDue(pin) && nowMs >= (this.#last(node, pin)?.notBeforeMs ?? 0);
      return isDue && this.#waits(root, node, pin) === undefined;
    });
    if (due !== undefined) this.#end(node, due);
  }

  /** Why pins whose time has passed are there still, by the address that is kept. */
  overdue(root: OwnedRoot, node: AddressNode): ReadonlyMap<AddressText, string> {
    const late = node.release.pins.filter((pin) => this.#isDue(pin));
    if (late.length === 0) return new Map();
    return new Map(
      late.map((pin) => {
        const why = this.#last(node, pin)?.why ?? 'it is about to end';
        return [pin.ancestor, this.#waits(root, node, pin) ?? why];
      }),
    );
  }

  /** Ends nothing more, and ends when nothing that it began is under way. */
  stop(): Promise<void> {
    return this.#work.stop();
  }

  #isDue({ until }: Pin): boolean {
    return this.context.clock.wallMs() >= this.context.parseTime(until);
  }

  /** Why there is no use in trying to end it; `undefined`: it may be tried. */
  #waits({ tree }: OwnedRoot, node: AddressNode, { ancestor }: Pin): string | undefined {
    const { address, release: state } = node;
    const frozen = frozenFor(this.context, tree, address);
    if (frozen !== undefined) return `frozen: ${frozen}`;
    const above = tree.path(address).find((one) => one.address.text === ancestor);
    if (above === undefined) return undefined;
    return interruptedRelease({ address: address.text, state, ancestor, above: above.release });
  }

  #last(node: AddressNode, { ancestor, until }: Pin): Attempt | undefined {
    const last = this.#attempts.get(node)?.get(ancestor);
    return last?.until === until ? last : undefined;
  }

  #end(node: AddressNode, pin: Pin): void {
    this.#busy.add(node);
    this.#work.begin(() => this.#tryToEnd(node, pin), {
      failed: (error) => this.#failed(node, pin, String(error)),
      ended: () => this.#busy.delete(node),
    });
  }

  async #tryToEnd(node: AddressNode, pin: Pin): Promise<void> {
    const { address, release } = node;
    const request = {
      action: 'unpin',
      ancestor: pin.ancestor,
      expectedReleaseVersion: release.releaseVersion,
      reason: 'the pin has expired',
    } as const;
    const outcome = await this.pins.run(address, request, { actor: OWNER });
    const fields = { address: address.text, ancestor: pin.ancestor, version: pin.version };
    if (outcome.ok) this.context.log.info('a pin has expired', fields);
    // Somebody was faster: the next look sees what is so now.
    else if (outcome.problem.code !== 'version-mismatch') {
      this.#failed(node, pin, problemLine(outcome.problem));
    }
  }

  #failed(node: AddressNode, pin: Pin, why: string): void {
    const last = this.#last(node, pin);
    const pauseMs = Math.min(last === undefined ? RETRY_MS : last.pauseMs * 2, MAX_RETRY_MS);
    const notBeforeMs = this.context.clock.monotonicMs() + pauseMs;
    const attempts: Attempts = this.#attempts.get(node) ?? new Map<AddressText, Attempt>();
    this.#attempts.set(node, attempts);
    attempts.set(pin.ancestor, { until: pin.until, notBeforeMs, pauseMs, why });
    const { ancestor, version } = pin;
    const fields = { address: node.address.text, ancestor, version, error: why };
    const { log } = this.context;
    if (last !== undefined) log.debug('a pin that has expired cannot end yet', fields);
    else log.warn('a pin has expired, and cannot end yet: it stays, and is tried again', fields);
  }
}
