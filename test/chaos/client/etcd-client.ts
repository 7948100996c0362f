import type {
  HistoryAnswer,
  HistoryOperation,
  HistoryOutcome,
  HistoryRequest,
} from '@pawl/metadata/testing/history';
import { Connection, type Reply } from './connection.js';
import { fromWire, toOutcome, toWire } from './wire-text.js';
import type { WireHeader, WireMember, WireStatus } from './wire.js';

interface Headed {
  readonly header?: WireHeader | null;
}

const METHODS = { put: 'put', delete: 'deleteRange', range: 'range', txn: 'txn' } as const;
const DONE: HistoryAnswer = { kind: 'done' };

/** A client of one node that tells exactly what each call came to. It never repeats a call. */
export class EtcdClient {
  private readonly connection: Connection;

  constructor(
    readonly endpoint: string,
    private readonly deadlineMs: number,
  ) {
    this.connection = new Connection(endpoint);
  }

  async perform(request: HistoryRequest): Promise<HistoryOutcome> {
    switch (request.kind) {
      case 'compact':
        return toOutcome(
          await this.call('KV', 'compact', { revision: request.revision }),
          () => DONE,
        );
      case 'lease-revoke':
        return toOutcome(
          await this.call('Lease', 'leaseRevoke', { ID: request.lease }),
          () => DONE,
        );
      default:
        return this.operate(request);
    }
  }

  private async operate(operation: HistoryOperation): Promise<HistoryOutcome> {
    const reply = await this.call<Headed>('KV', METHODS[operation.kind], toWire(operation));
    return toOutcome(reply, (message) => fromWire(operation, message));
  }

  /** The lease's id, decimal, and its time to live; null: not granted, or not known to be. */
  async grantLease(ttlSeconds: number): Promise<{ id: string; ttlMs: number } | null> {
    const reply = await this.call<Headed & { ID: string; TTL: string }>('Lease', 'leaseGrant', {
      TTL: ttlSeconds,
      ID: 0,
    });
    if (!reply.ok) return null;
    return { id: reply.message.ID, ttlMs: Number(reply.message.TTL) * 1000 };
  }

  /** What is left of a lease, in seconds; -1: it is not there. */
  timeToLive(lease: string) {
    return this.call<Headed & { TTL: string; grantedTTL: string }>('Lease', 'leaseTimeToLive', {
      ID: lease,
      keys: true,
    });
  }

  /** One renewal over a stream of its own. */
  keepAlive(lease: string): Promise<'renewed' | 'unknown' | 'dead'> {
    const stream = this.connection.open('Lease', 'leaseKeepAlive');
    return new Promise((resolve) => {
      const end = (outcome: 'renewed' | 'unknown' | 'dead') => {
        clearTimeout(late);
        resolve(outcome);
        stream.cancel();
      };
      const late = setTimeout(() => end('unknown'), this.deadlineMs);
      stream.on('data', ({ TTL }: { TTL: string }) => end(Number(TTL) > 0 ? 'renewed' : 'dead'));
      stream.on('error', () => end('unknown'));
      stream.on('end', () => end('unknown'));
      stream.write({ ID: lease });
    });
  }

  status(): Promise<Reply<WireStatus>> {
    return this.call('Maintenance', 'status', {});
  }

  hashKv(revision: number) {
    return this.call<Headed & { hash: number; compact_revision: string }>('Maintenance', 'hashKv', {
      revision,
    });
  }

  moveLeader(memberId: string): Promise<Reply<Headed>> {
    return this.call('Maintenance', 'moveLeader', { targetID: memberId });
  }

  members(): Promise<Reply<Headed & { readonly members: readonly WireMember[] }>> {
    return this.call('Cluster', 'memberList', {});
  }

  /** As a learner. The name is for Pawl, whose members find each other by it; etcd ignores it. */
  addMember(peerUrl: string, name: string) {
    return this.connection.call<Headed & { readonly member: WireMember }>(
      'Cluster',
      'memberAdd',
      { peerURLs: [peerUrl], isLearner: true },
      { deadlineMs: this.deadlineMs, headers: { 'pawl-member-id': name } },
    );
  }

  removeMember(memberId: string): Promise<Reply<Headed>> {
    return this.call('Cluster', 'memberRemove', { ID: memberId });
  }

  promoteMember(memberId: string): Promise<Reply<Headed>> {
    return this.call('Cluster', 'memberPromote', { ID: memberId });
  }

  close(): void {
    this.connection.close();
  }

  private call<T extends Headed>(
    service: 'KV' | 'Lease' | 'Cluster' | 'Maintenance',
    method: string,
    request: object,
  ): Promise<Reply<T>> {
    return this.connection.call(service, method, request, { deadlineMs: this.deadlineMs });
  }
}

/** One client per node, made when it is first asked for. */
export class ClientPool {
  private readonly clients = new Map<string, EtcdClient>();

  constructor(private readonly deadlineMs: number) {}

  get(endpoint: string): EtcdClient {
    const known = this.clients.get(endpoint);
    if (known !== undefined) return known;
    const client = new EtcdClient(endpoint, this.deadlineMs);
    this.clients.set(endpoint, client);
    return client;
  }

  close(): void {
    for (const client of this.clients.values()) client.close();
  }
}
