import type { ServerDuplexStream, UntypedServiceImplementation } from '@grpc/grpc-js';
import { NO_LEASE } from '../state/index.js';
import type { ApiContext } from './api-context.js';
import type { CallGate } from './call-gate.js';
import { leaseTimeSize, leasesSize } from './answer-size.js';
import { KeepAliveStream } from './keep-alive-stream.js';
import type * as rpc from '../etcd-protocol/messages.js';
import { refused } from './status-error.js';
import type { StreamGate } from './stream-gate.js';
import { toNumber } from './txn-request.js';
import { isUserLease, toLeaseId, toUserKey } from './user-keys.js';

/** etcd's Lease service. */
export function leaseService(
  context: ApiContext,
  gate: CallGate,
  streams: StreamGate,
): UntypedServiceImplementation {
  const lease = new LeaseService(context);
  return {
    LeaseGrant: gate.unary((request: rpc.LeaseGrantRequest) => lease.grant(request)),
    LeaseRevoke: gate.unary((request: rpc.Id) => lease.revoke(request)),
    LeaseTimeToLive: gate.unary(
      (request: rpc.LeaseTimeToLiveRequest) => lease.timeToLive(request),
      leaseTimeSize,
    ),
    LeaseLeases: gate.unary(() => lease.leases(), leasesSize),
    LeaseKeepAlive: (call: ServerDuplexStream<rpc.Id, rpc.Written<rpc.LeaseAnswer>>) => {
      streams.open(call, () => new KeepAliveStream(context, call));
    },
  };
}

class LeaseService {
  constructor(private readonly context: ApiContext) {}

  async grant({ TTL, ID }: rpc.LeaseGrantRequest): Promise<rpc.Written<rpc.LeaseAnswer>> {
    const { node, limits } = this.context;
    const id = BigInt(ID);
    if (id !== NO_LEASE && !isUserLease(id)) throw refused('bad-lease-id');
    const seconds = Math.max(toNumber(TTL), limits.minLeaseSeconds);
    const result = await node.grantLease(seconds * 1000, id, { origin: 'user' });
    if (!result.ok) throw refused(result.refusal);
    return { header: this.context.header(), ID: String(result.id), TTL: seconds };
  }

  async revoke({ ID }: rpc.Id): Promise<rpc.Written<rpc.Answer>> {
    const result = await this.context.node.revokeLease(toLeaseId(ID));
    if (!result.ok) throw refused(result.refusal);
    return { header: this.context.header(result.revision) };
  }

  /** One that is not there has -1 left. */
  async timeToLive(
    request: rpc.LeaseTimeToLiveRequest,
  ): Promise<rpc.Written<rpc.LeaseTimeToLiveResponse>> {
    const { ID } = request;
    const time = await this.context.node.leaseTime(toLeaseId(ID), { keys: request.keys });
    const header = this.context.header();
    if (time === null) return { header, ID, TTL: -1, grantedTTL: 0, keys: [] };
    return {
      header,
      ID,
      TTL: Math.floor(time.remainingMs / 1000),
      grantedTTL: Math.floor(time.grantedMs / 1000),
      keys: time.keys.map(toUserKey),
    };
  }

  async leases(): Promise<rpc.Written<rpc.LeaseLeasesResponse>> {
    const ids = await this.context.node.leases();
    const leases = ids.filter(isUserLease).map((id) => ({ ID: String(id) }));
    return { header: this.context.header(), leases };
  }
}
