import type { LeaseLife, LeaseRenewal } from '../history/index.js';
import type { QuorumProcess } from '../simulated-quorum.js';
import type { World } from './world.js';

/** Until a life is given up on: later than any lease of one should be gone. */
const WATCHED_MS = 60_000;
const REST_MS = 300;

interface Life {
  readonly lease: bigint;
  readonly key: string;
  readonly ttlMs: number;
  readonly renewals: LeaseRenewal[];
  revokedAtMs?: number;
  deadAtMs?: number;
}

/** Takes leases, puts a key under each, renews them for a while and then lets them go or ends them. */
export class WorldHolder {
  readonly #lives: Life[] = [];

  constructor(
    private readonly world: World,
    private readonly name: string,
  ) {}

  start(): void {
    this.world.later(REST_MS * this.world.rng.next(), () => this.#grant());
  }

  /** What became of its leases until now. */
  lives(): LeaseLife[] {
    const nowMs = this.world.nowMs();
    return this.#lives.map(({ lease, key, ttlMs, renewals, revokedAtMs, deadAtMs }) => {
      const deletedAtMs = this.world.applied.deletedAtMs.get(key);
      const goneAtMs = Math.min(deletedAtMs ?? Infinity, deadAtMs ?? Infinity);
      return {
        lease: String(lease),
        ttlMs,
        renewals,
        watchedUntilMs: nowMs,
        ...(revokedAtMs === undefined ? {} : { revokedAtMs }),
        ...(goneAtMs === Infinity ? {} : { goneAtMs }),
      };
    });
  }

  #grant(): void {
    const { world } = this;
    if (world.isOver) return;
    const ttlMs = 400 + world.rng.below(2_600);
    const calledAtMs = world.nowMs();
    world.ask(
      (process) => process.node.grantLease(ttlMs, 0n, { origin: 'user' }),
      (granted) => {
        if (granted === 'unknown' || granted === 'failed' || !granted.ok) return this.start();
        const first = { calledAtMs, returnedAtMs: world.nowMs(), outcome: 'renewed' } as const;
        const key = `lease/${granted.id}`;
        const life: Life = { lease: granted.id, key, ttlMs, renewals: [first] };
        this.#lives.push(life);
        const value = world.newValue();
        const put = { kind: 'put', key, value, lease: String(granted.id) } as const;
        world.call(this.name, put, () => this.#renew(life, world.rng.below(8)));
      },
    );
  }

  #renew(life: Life, more: number): void {
    const { world } = this;
    if (more === 0 || world.isOver) return this.#end(life);
    world.later((life.ttlMs / 3) * (0.5 + world.rng.next()), () => {
      const calledAtMs = world.nowMs();
      world.ask(
        (process: QuorumProcess) => process.node.keepAlive(life.lease),
        (kept) => {
          const returnedAtMs = world.nowMs();
          const unknown = kept === 'unknown' || kept === 'failed';
          const outcome = unknown ? 'unknown' : kept.ok ? 'renewed' : 'dead';
          life.renewals.push({ calledAtMs, returnedAtMs, outcome });
          if (outcome !== 'dead') return this.#renew(life, more - 1);
          world.reached('renewal of an ended lease');
          life.deadAtMs ??= returnedAtMs;
          this.start();
        },
      );
    });
  }

  #end(life: Life): void {
    const { world } = this;
    if (world.rng.below(3) === 0) {
      life.revokedAtMs = world.nowMs();
      world.call(this.name, { kind: 'lease-revoke', lease: String(life.lease) }, () =>
        this.start(),
      );
      return;
    }
    this.#awaitEnd(life, world.nowMs() + WATCHED_MS);
  }

  #awaitEnd(life: Life, untilMs: number): void {
    const { world } = this;
    if (world.applied.deletedAtMs.has(life.key)) world.reached('lease ran out');
    else if (world.nowMs() < untilMs && !world.isOver) {
      world.later(REST_MS, () => this.#awaitEnd(life, untilMs));
      return;
    }
    this.start();
  }
}
