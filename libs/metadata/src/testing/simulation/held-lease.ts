import type { LeaseLife, LeaseRenewal } from '../history/index.js';
import type { QuorumProcess } from '../simulated-quorum.js';
import type { World } from './world.js';

/** A lease with a key under it, and what its holder saw of it. */
export class HeldLease {
  readonly key: string;
  readonly #renewals: LeaseRenewal[];
  #revokedAtMs: number | undefined;
  #deadAtMs: number | undefined;

  private constructor(
    private readonly world: World,
    private readonly id: bigint,
    readonly ttlMs: number,
    granted: LeaseRenewal,
  ) {
    this.key = `lease/${id}`;
    this.#renewals = [granted];
  }

  /** `done` is called with the lease once its key is put, or with null when it was not granted. */
  static take(
    world: World,
    client: string,
    ttlMs: number,
    done: (lease: HeldLease | null) => void,
  ): void {
    const calledAtMs = world.nowMs();
    world.ask(
      (process) => process.node.grantLease(ttlMs, 0n, { origin: 'user' }),
      (granted) => {
        if (granted === 'unknown' || granted === 'failed' || !granted.ok) return done(null);
        const first = { calledAtMs, returnedAtMs: world.nowMs(), outcome: 'renewed' } as const;
        const lease = new HeldLease(world, granted.id, granted.ttlMs, first);
        world.held.push(lease);
        const value = world.newValue();
        const put = { kind: 'put', key: lease.key, value, lease: String(granted.id) } as const;
        world.call(client, put, () => done(lease));
      },
    );
  }

  /** Through whichever node when none is given. */
  renew(done: (outcome: LeaseRenewal['outcome']) => void, through?: QuorumProcess): void {
    const { world, id } = this;
    const calledAtMs = world.nowMs();
    world.ask(
      ({ node }) => node.keepAlive(id),
      (kept) => {
        const returnedAtMs = world.nowMs();
        const unknown = kept === 'unknown' || kept === 'failed';
        const outcome = unknown ? 'unknown' : kept.ok ? 'renewed' : 'dead';
        this.#renewals.push({ calledAtMs, returnedAtMs, outcome });
        if (outcome === 'dead') this.#deadAtMs ??= returnedAtMs;
        done(outcome);
      },
      through,
    );
  }

  revoke(client: string, done: () => void): void {
    this.#revokedAtMs = this.world.nowMs();
    this.world.call(client, { kind: 'lease-revoke', lease: String(this.id) }, done);
  }

  /** What became of it until now. */
  life(): LeaseLife {
    const { world, id, ttlMs } = this;
    const deletedAtMs = world.applied.deletedAtMs.get(this.key) ?? Infinity;
    const goneAtMs = Math.min(deletedAtMs, this.#deadAtMs ?? Infinity);
    return {
      lease: String(id),
      ttlMs,
      renewals: this.#renewals,
      watchedUntilMs: world.nowMs(),
      ...(this.#revokedAtMs === undefined ? {} : { revokedAtMs: this.#revokedAtMs }),
      ...(goneAtMs === Infinity ? {} : { goneAtMs }),
    };
  }
}
