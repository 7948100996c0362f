import { setTimeout as delay } from 'node:timers/promises';
import type { LeaseLife, LeaseRenewal } from '@pawl/metadata/testing/history';
import type { Cluster } from '../cluster/cluster.js';
import type { Observer } from '../history/observer.js';
import { ClientPool } from './etcd-client.js';

interface HolderWish {
  readonly cluster: Cluster;
  /** Sees the end of the lease by its key. */
  readonly observer: Observer;
  readonly key: string;
  readonly ttlSeconds: number;
}

const CALL_DEADLINE_MS = 1_000;
const GRANT_TRIES = 60;

/** Holds a lease with one key on it, asks every node in turn to renew it, and records its life. */
export class LeaseHolder {
  readonly renewals: LeaseRenewal[] = [];
  private readonly clients = new ClientPool(CALL_DEADLINE_MS);
  private at = 0;

  private constructor(
    private readonly wish: HolderWish,
    readonly lease: string,
    readonly ttlMs: number,
    grant: LeaseRenewal,
  ) {
    this.renewals.push(grant);
  }

  /** Tries until a lease is granted and its key is there. */
  static async grant(wish: HolderWish): Promise<LeaseHolder> {
    const { cluster, key, ttlSeconds } = wish;
    for (let tries = 0; tries < GRANT_TRIES; tries += 1) {
      const node = cluster.running[tries % cluster.running.length];
      if (node === undefined) break;
      const holder = await cluster.asks(node, async (client) => {
        const calledAtMs = performance.now();
        const granted = await client.grantLease(ttlSeconds);
        if (granted === null) return null;
        const returnedAtMs = performance.now();
        const value = `lease ${granted.id}`;
        const put = { kind: 'put', key, value, lease: granted.id } as const;
        if ((await client.perform(put)).kind !== 'ok') return null;
        const grant: LeaseRenewal = { calledAtMs, returnedAtMs, outcome: 'renewed' };
        return new LeaseHolder(wish, granted.id, granted.ttlMs, grant);
      });
      if (holder !== null) return holder;
      await delay(50);
    }
    throw new Error(`no lease was granted\n${cluster.logs()}`);
  }

  /** One renewal, at the next node. */
  async renew(): Promise<LeaseRenewal['outcome']> {
    this.at += 1;
    const { endpoints } = this.wish.cluster;
    const client = this.clients.get(endpoints[this.at % endpoints.length] ?? '');
    const calledAtMs = performance.now();
    const outcome = await client.keepAlive(this.lease);
    this.renewals.push({ calledAtMs, returnedAtMs: performance.now(), outcome });
    return outcome;
  }

  /** Renews every `everyMs` until the signal. */
  async keep(everyMs: number, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      if ((await this.renew()) === 'dead') return;
      await delay(everyMs, undefined, { signal }).catch(() => undefined);
    }
  }

  /** Waits until its key was seen to be gone; false at the deadline. */
  async gone(deadlineMs: number): Promise<boolean> {
    const { observer, key } = this.wish;
    const until = performance.now() + deadlineMs;
    while (observer.deletedAtMs(key) === undefined) {
      if (performance.now() > until) return false;
      await delay(20);
    }
    return true;
  }

  /** What was seen of it, for the check of leases. */
  life(): LeaseLife {
    const { observer, key } = this.wish;
    const goneAtMs = observer.deletedAtMs(key);
    return {
      lease: this.lease,
      ttlMs: this.ttlMs,
      renewals: this.renewals,
      ...(goneAtMs !== undefined && { goneAtMs }),
      watchedUntilMs: performance.now(),
    };
  }

  close(): void {
    this.clients.close();
  }
}
