import type { ServerWritableStream, UntypedServiceImplementation } from '@grpc/grpc-js';
import type * as concurrency from '../etcd-protocol/concurrency-messages.js';
import type * as rpc from '../etcd-protocol/messages.js';
import { leaderSize } from './answer-size.js';
import type { ApiContext } from './api-context.js';
import type { CallGate } from './call-gate.js';
import { LEADER_MISSING, NOT_LEADER, NO_LEADER, unknown } from './contest.js';
import type { Contest, Place } from './contest.js';
import { toKeyValue } from './kv-response.js';
import { LeaderStream, ToldBytes } from './leader-stream.js';
import type { StreamGate } from './stream-gate.js';
import { toNumber } from './txn-request.js';
import { toStoredKey } from './user-keys.js';
import type { WaitGate, Waiting } from './wait-gate.js';

export interface ElectionGates {
  readonly calls: CallGate;
  readonly waits: WaitGate;
  readonly streams: StreamGate;
}

/** etcd's Election service. */
export function electionService(
  context: ApiContext,
  { calls, waits, streams }: ElectionGates,
  contest: Contest,
): UntypedServiceImplementation {
  const election = new ElectionService(context, contest);
  const told = new ToldBytes(context.limits.observedBytes);
  return {
    Campaign: waits.unary((request: concurrency.CampaignRequest, waiting) =>
      election.campaign(request, waiting),
    ),
    Proclaim: calls.unary((request: concurrency.ProclaimRequest) => election.proclaim(request)),
    Leader: calls.unary(
      (request: concurrency.LeaderRequest) => election.leader(request),
      leaderSize,
    ),
    Observe: (
      call: ServerWritableStream<
        concurrency.LeaderRequest,
        rpc.Written<concurrency.LeaderResponse>
      >,
    ) => {
      streams.open(
        call,
        () => new LeaderStream({ context, contest, call, told, waiting: waits.begin(call) }),
      );
    },
    Resign: calls.unary((request: concurrency.ResignRequest) => election.resign(request)),
  };
}

class ElectionService {
  constructor(
    private readonly context: ApiContext,
    private readonly contest: Contest,
  ) {}

  /** The header is of when the campaign began, as etcd's. */
  async campaign(
    { name, lease, value }: concurrency.CampaignRequest,
    waiting: Waiting,
  ): Promise<rpc.Written<concurrency.CampaignResponse>> {
    const contender = { name, lease, value, proclaims: true, lost: NOT_LEADER };
    const turn = await this.contest.contend(contender, waiting);
    const leader = { name, key: turn.key, rev: turn.place.revision, lease: String(turn.lease) };
    return { header: this.context.header(turn.entered), leader };
  }

  async proclaim({ leader, value }: concurrency.ProclaimRequest): Promise<rpc.Written<rpc.Answer>> {
    const place = placeOf(leader);
    const revision = await this.contest.withLease(place.lease, ({ id }) =>
      this.contest.proclaim(place, value, id),
    );
    return { header: this.context.header(revision) };
  }

  async leader({
    name,
  }: concurrency.LeaderRequest): Promise<rpc.Written<concurrency.LeaderResponse>> {
    const { revision, kv } = await this.contest.first(name);
    if (kv === undefined) throw NO_LEADER();
    return { header: this.context.header(revision), kv: toKeyValue(kv) };
  }

  async resign({ leader }: concurrency.ResignRequest): Promise<rpc.Written<rpc.Answer>> {
    return { header: this.context.header(await this.contest.resign(placeOf(leader))) };
  }
}

/** Throws when nothing is named. */
function placeOf(leader: concurrency.LeaderKey | null): Place & { readonly lease: string } {
  if (leader === null) throw LEADER_MISSING();
  const { key, rev, lease } = leader;
  if (key.length === 0) throw unknown('empty-key');
  return { key: toStoredKey(key), revision: toNumber(rev), lease };
}
