import type { LeaseLife, LeaseRenewal } from '../history/index.js';
import type { QuorumProcess } from '../simulated-quorum.js';
import type { UnrenewedLife } from './check-grace.js';
import type { LeaseMoment } from './lease-time.js';
import type { World } from './world.js';

/** A lease with a key under it, and what its holder saw of it, by the clocks that count it. */
export class HeldLease {
  readonly key: string;
  readonly #by: keyof LeaseMoment;
  readonly #renewals: LeaseRenewal[];
  #renewedAt: LeaseMoment;
  #revokedAtMs: number | undefined;
  #deadAt: LeaseMoment | undefined;

  private constructor(
    private readonly world: World,
    private readonly id: bigint,
    readonly ttlMs: number,
    grantedAt: LeaseMoment,
  ) {
    this.key = `lease/${id}`;
    this.#by = id < 0n ? 'all' : 'leaders';
    const times = this.#times(grantedAt, world.leaseTime());
    this.#renewals = [{ ...times, outcome: 'renewed' }];
    this.#renewedAt = grantedAt;
  }

  /** `done` is called with the lease once its key is put, or with null when it was not granted. */
  static take(
    world: World,
    client: string,
    { ttlMs, origin }: { readonly ttlMs: number; readonly origin: 'own' | 'user' },
    done: (lease: HeldLease | null) => void,
  ): void {
    const calledAt = world.leaseTime();
    world.ask(
      (process) => process.node.grantLease(ttlMs, 0n, { origin }),
      (granted) => {
        if (granted === 'unknown' || granted === 'failed' || !granted.ok) return done(null);
        const lease = new HeldLease(world, granted.id, granted.ttlMs, calledAt);
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
    const calledAt = world.leaseTime();
    world.ask(
      ({ node }) => node.keepAlive(id),
      (kept) => {
        const returnedAt = world.leaseTime();
        const unknown = kept === 'unknown' || kept === 'failed';
        const outcome = unknown ? 'unknown' : kept.ok ? 'renewed' : 'dead';
        const times = this.#times(calledAt, returnedAt);
        this.#renewals.push({ ...times, outcome });
        if (outcome === 'renewed') this.#renewedAt = calledAt;
        if (outcome === 'dead') this.#deadAt ??= returnedAt;
        done(outcome);
      },
      through,
    );
  }

  revoke(client: string, done: () => void): void {
    this.#revokedAtMs = this.world.leaseTime()[this.#by].ms;
    this.world.call(client, { kind: 'lease-revoke', lease: String(this.id) }, done);
  }

  /** What became of it until now. */
  life(): LeaseLife {
    const goneAt = this.#goneAt();
    return {
      lease: String(this.id),
      ttlMs: this.ttlMs,
      renewals: this.#renewals,
      watchedUntilMs: this.world.leaseTime()[this.#by].ms,
      ...(this.#revokedAtMs === undefined ? {} : { revokedAtMs: this.#revokedAtMs }),
      ...(goneAt === undefined ? {} : { goneAtMs: goneAt[this.#by].ms }),
    };
  }

  /** How it ran out; null when it has not, or was revoked. */
  end(): UnrenewedLife | null {
    const goneAt = this.#goneAt();
    if (goneAt === undefined || this.#revokedAtMs !== undefined) return null;
    const { ttlMs } = this;
    return { lease: String(this.id), ttlMs, by: this.#by, renewedAt: this.#renewedAt, goneAt };
  }

  #times(calledAt: LeaseMoment, returnedAt: LeaseMoment) {
    return { calledAtMs: calledAt[this.#by].ms, returnedAtMs: returnedAt[this.#by].ms };
  }

  /** When somebody first saw that it was gone. */
  #goneAt(): LeaseMoment | undefined {
    const deletedAt = this.world.applied.deletedAt.get(this.key);
    const deadAt = this.#deadAt;
    if (deletedAt === undefined || deadAt === undefined) return deletedAt ?? deadAt;
    return deletedAt[this.#by].ms <= deadAt[this.#by].ms ? deletedAt : deadAt;
  }
}
