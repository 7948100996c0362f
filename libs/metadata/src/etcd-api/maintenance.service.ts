import type { ServerWritableStream, UntypedServiceImplementation } from '@grpc/grpc-js';
import type { Alarm, AlarmKind, HashKv } from '../state/index.js';
import type { ApiContext } from './api-context.js';
import type { CallGate } from './call-gate.js';
import type * as rpc from '../etcd-protocol/messages.js';
import { sendSnapshot } from './send-snapshot.js';
import { refused } from './status-error.js';
import { toNumber } from './txn-request.js';

/** The release of etcd whose protocol and semantics are served: clients decide by it what to use. */
const ETCD_VERSION = '3.4.23';
/** By the numbers of etcd's enum; 0 is none. */
const ALARMS: readonly (AlarmKind | null)[] = [null, 'nospace', 'corrupt'];
const [GET, ACTIVATE, DEACTIVATE] = [0, 1, 2];

/** etcd's Maintenance service. */
export function maintenanceService(
  context: ApiContext,
  gate: CallGate,
): UntypedServiceImplementation {
  const maintenance = new MaintenanceService(context);
  return {
    Alarm: gate.unary((request: rpc.AlarmRequest) => maintenance.alarm(request)),
    Status: gate.unary(() => maintenance.status()),
    Defragment: gate.unary(() => maintenance.defragment()),
    Hash: gate.unary(() => maintenance.hash()),
    HashKV: gate.unary((request: { revision: string }) => maintenance.hashKv(request)),
    MoveLeader: gate.unary((request: { targetID: string }) => maintenance.moveLeader(request)),
    Snapshot: (call: ServerWritableStream<object, rpc.Written<rpc.SnapshotResponse>>) => {
      gate
        .run(call.metadata, () => maintenance.snapshot(call))
        .catch((error: unknown) => call.emit('error', context.toStatus(error)));
    },
  };
}

class MaintenanceService {
  #snapshots = 0;

  constructor(private readonly context: ApiContext) {}

  async snapshot(
    call: ServerWritableStream<object, rpc.Written<rpc.SnapshotResponse>>,
  ): Promise<void> {
    if (this.#snapshots >= this.context.limits.snapshots) throw refused('too-many-requests');
    if (call.cancelled) return;
    this.#snapshots += 1;
    /* Emitted once in any case: when all of it has left, or when the stream broke. */
    call.once('cancelled', () => (this.#snapshots -= 1));
    await sendSnapshot(this.context, call);
  }

  async alarm({
    action,
    memberID,
    alarm,
  }: rpc.AlarmRequest): Promise<rpc.Written<rpc.AlarmResponse>> {
    const { node } = this.context;
    const kind = ALARMS[alarm];
    if (kind === undefined) throw refused('bad-alarm');
    const known = await node.alarms();
    if (action === GET) {
      return this.#alarms(known.filter((one) => kind === null || one.alarm === kind));
    }
    if (kind === null) throw refused('bad-alarm');
    const one: Alarm = { member: BigInt(memberID), alarm: kind };
    if (action === ACTIVATE) {
      const result = await node.setAlarm('raise', one);
      if (!result.ok) throw refused(result.refusal);
      return this.#alarms([one]);
    }
    if (action !== DEACTIVATE) throw refused('bad-alarm');
    await node.setAlarm('clear', one);
    return this.#alarms(
      known.filter(({ member, alarm: is }) => member === one.member && is === kind),
    );
  }

  async status(): Promise<rpc.Written<rpc.StatusResponse>> {
    const status = this.context.node.nodeStatus();
    const { leader, term, raftIndex, appliedIndex, sizeBytes, sizeInUseBytes, learner } = status;
    const alarms = status.alarms.map(alarmText);
    return {
      header: this.context.header(),
      version: ETCD_VERSION,
      dbSize: sizeBytes,
      leader: String(leader ?? 0n),
      raftIndex,
      raftTerm: term,
      raftAppliedIndex: appliedIndex,
      errors: leader === null ? ['etcdserver: no leader', ...alarms] : alarms,
      dbSizeInUse: sizeInUseBytes,
      isLearner: learner,
    };
  }

  async defragment(): Promise<rpc.Written<rpc.Answer>> {
    await this.context.node.defragment();
    return { header: this.context.header() };
  }

  /** Of the keys as they are: equal on members that are at the same revision. */
  async hash(): Promise<rpc.Written<rpc.HashResponse>> {
    const { hash } = await this.#hashKv(0);
    return { header: this.context.header(), hash };
  }

  async hashKv({ revision }: { revision: string }): Promise<rpc.Written<rpc.HashKvResponse>> {
    const { hash, compactRevision } = await this.#hashKv(Math.max(0, toNumber(revision)));
    /* etcd's answer while nothing was compacted. */
    const compact_revision = compactRevision === 0 ? -1 : compactRevision;
    return { header: this.context.header(), hash, compact_revision };
  }

  async moveLeader({ targetID }: { targetID: string }): Promise<rpc.Written<rpc.Answer>> {
    const outcome = await this.context.node.transferLeadership(BigInt(targetID));
    if (outcome === 'not-leader') throw refused('not-leader');
    if (outcome === 'refused') throw refused('bad-transferee');
    return { header: this.context.header() };
  }

  async #hashKv(revision: number): Promise<HashKv> {
    const result = await this.context.node.hashKv(revision);
    if ('refusal' in result) throw refused(result.refusal);
    /* At the compaction revision etcd still reads, and hashes no more. */
    if (revision > 0 && revision <= result.compactRevision) throw refused('compacted');
    return result;
  }

  #alarms(alarms: readonly Alarm[]): rpc.Written<rpc.AlarmResponse> {
    return {
      header: this.context.header(),
      alarms: alarms.map(({ member, alarm }) => ({
        memberID: String(member),
        alarm: ALARMS.indexOf(alarm),
      })),
    };
  }
}

/** As etcd's tools write it. */
function alarmText({ member, alarm }: Alarm): string {
  return `${member === 0n ? '' : `memberID:${member} `}alarm:${alarm.toUpperCase()} `;
}
