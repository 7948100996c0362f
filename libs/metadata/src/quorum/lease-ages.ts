import type { Clock } from '@pawl/kernel';
import type { Command, CommandPlace, CommandResult, LeaseId, LeaseState } from '../state/index.js';

/**
 * Once somebody leads, a holder that could not renew its lease meanwhile has so much time for it at
 * least: this share of its time to live, above the third after which clients renew.
 */
const LEAST_SHARE = 0.45;
const LEAST_MS = 1000;

/**
 * Whether each renewal of a lease is a command, of which every member learns: so it is with Pawl's
 * own, of which there is one to a node. Those of users are renewed without the log.
 */
export function isRenewedInLog(id: LeaseId): boolean {
  return id < 0n;
}

/**
 * When this node applied the newest renewal of each lease that is renewed in the log, by its monotonic
 * clock. Whoever was told of that renewal was promised no time beyond, so that the next leader goes on
 * counting where the one before left off.
 */
export class LeaseAges {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #renewedAtMs = new Map<LeaseId, number>();

  constructor(clock: Pick<Clock, 'monotonicMs'>) {
    this.#clock = clock;
  }

  /** To be told of every command that this node applies. */
  applied(command: Command, result: CommandResult, { term }: CommandPlace): void {
    if (command.kind === 'lease-grant' && result.kind === 'lease') this.#renewed(result.id);
    else if (command.kind === 'lease-checkpoint' && command.term === term) {
      for (const { id, remainingMs } of command.leases) if (remainingMs === 0) this.#renewed(id);
    } else if (result.kind === 'done') {
      for (const id of result.ids) this.#renewedAtMs.delete(id);
    }
  }

  /** The state is another one now. */
  restored(): void {
    this.#renewedAtMs.clear();
  }

  /** What is left of a lease that the log left so, in milliseconds: no less than its holder was promised. */
  leftMs({ id, ttlMs, remainingMs }: LeaseState): number {
    const renewedAtMs = this.#renewedAtMs.get(id);
    if (renewedAtMs === undefined) return remainingMs;
    const leastMs = Math.min(ttlMs, Math.max(LEAST_MS, LEAST_SHARE * ttlMs));
    const leftMs = renewedAtMs + ttlMs - this.#clock.monotonicMs();
    return Math.min(remainingMs, Math.max(leftMs, leastMs));
  }

  #renewed(id: LeaseId): void {
    if (isRenewedInLog(id)) this.#renewedAtMs.set(id, this.#clock.monotonicMs());
  }
}
