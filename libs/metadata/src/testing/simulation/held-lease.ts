import type { LeaseLife, LeaseRenewal } from '../history/index.js';
import type { QuorumProcess } from '../simulated-quorum.js';
import type { UnrenewedLife } from './check-grace.js';
import type { LeaderMoment } from './leader-time.js';
import type { World } from './world.js';

/** A lease with a key under it, and what its holder saw of it, by the time of leaders. */
export class HeldLease {
  readonly key: string;
  readonly #renewals: LeaseRenewal[];
  #renewedAt: LeaderMoment;
  #revokedAtMs: number | undefined;
  #deadAt: LeaderMoment | undefined;

  private constructor(
    private readonly world: World,
    private readonly id: bigint,
    readonly ttlMs: number,
    grantedAt: LeaderMoment,
  ) {
    this.key = `lease/${id}`;
    const times = { calledAtMs: grantedAt.ms, returnedAtMs: world.leaderTime().ms };
    this.#renewals = [{ ...times, outcome: 'renewed' }];
    this.#renewedAt = grantedAt;
  }

  /** `done` is called with the lease once its key is put, or with null when it was not granted. */
  static take(
    world: World,
    client: string,
    ttlMs: number,
    done: (lease: HeldLease | null) => void,
  ): void {
    const calledAt = world.leaderTime();
    world.ask(
      (process) => process.node.grantLease(ttlMs, 0n, { origin: 'user' }),
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
    const calledAt = world.leaderTime();
    world.ask(
      ({ node }) => node.keepAlive(id),
      (kept) => {
        const returnedAt = world.leaderTime();
        const unknown = kept === 'unknown' || kept === 'failed';
        const outcome = unknown ? 'unknown' : kept.ok ? 'renewed' : 'dead';
        const times = { calledAtMs: calledAt.ms, returnedAtMs: returnedAt.ms };
        this.#renewals.push({ ...times, outcome });
        if (outcome === 'renewed') this.#renewedAt = calledAt;
        if (outcome === 'dead') this.#deadAt ??= returnedAt;
        done(outcome);
      },
      through,
    );
  }

  revoke(client: string, done: () => void): void {
    this.#revokedAtMs = this.world.leaderTime().ms;
    this.world.call(client, { kind: 'lease-revoke', lease: String(this.id) }, done);
  }

  /** What became of it until now. */
  life(): LeaseLife {
    const goneAt = this.#goneAt();
    return {
      lease: String(this.id),
      ttlMs: this.ttlMs,
      renewals: this.#renewals,
      watchedUntilMs: this.world.leaderTime().ms,
      ...(this.#revokedAtMs === undefined ? {} : { revokedAtMs: this.#revokedAtMs }),
      ...(goneAt === undefined ? {} : { goneAtMs: goneAt.ms }),
    };
  }

  /** How it ran out; null when it has not, or was revoked. */
  end(): UnrenewedLife | null {
    const goneAt = this.#goneAt();
    if (goneAt === undefined || this.#revokedAtMs !== undefined) return null;
    return { lease: String(this.id), ttlMs: this.ttlMs, renewedAt: this.#renewedAt, goneAt };
  }

  /** When somebody first saw that it was gone. */
  #goneAt(): LeaderMoment | undefined {
    const deletedAt = this.world.applied.deletedAt.get(this.key);
    const deadAt = this.#deadAt;
    if (deletedAt === undefined || deadAt === undefined) return deletedAt ?? deadAt;
    return deletedAt.ms <= deadAt.ms ? deletedAt : deadAt;
  }
}
