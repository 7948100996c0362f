import type { Metadata, UntypedServiceImplementation } from '@grpc/grpc-js';
import type { MembersResult, QuorumMember } from '../coordination.port.js';
import { MEMBER_ID_HEADER } from '../cluster-client/member-id-header.js';
import type { ApiContext } from './api-context.js';
import type { CallGate } from './call-gate.js';
import type * as rpc from '../etcd-protocol/messages.js';
import { refused } from './status-error.js';

/** etcd's Cluster service. */
export function clusterService(context: ApiContext, gate: CallGate): UntypedServiceImplementation {
  const cluster = new ClusterService(context);
  return {
    MemberList: gate.unary((request: { linearizable: boolean }, metadata) =>
      cluster.list(request, asksForIds(metadata)),
    ),
    MemberAdd: gate.unary((request: rpc.MemberAddRequest, metadata) =>
      cluster.add(request, metadata.get(MEMBER_ID_HEADER)[0]?.toString()),
    ),
    MemberRemove: gate.unary((request: rpc.Id, metadata) =>
      cluster.remove(request, asksForIds(metadata)),
    ),
    MemberUpdate: gate.unary((request: rpc.MemberUpdateRequest) => cluster.update(request)),
    MemberPromote: gate.unary((request: rpc.Id) => cluster.promote(request)),
  };
}

class ClusterService {
  constructor(private readonly context: ApiContext) {}

  /** Clients of etcd 3.4 do not ask for a linearizable list. */
  async list(
    { linearizable }: { linearizable: boolean },
    withIds: boolean,
  ): Promise<rpc.Written<rpc.MembersResponse>> {
    const members = await this.context.node.members({ serializable: !linearizable });
    return this.#response(withIds ? members.map(named) : members);
  }

  async add(
    { peerURLs, isLearner }: rpc.MemberAddRequest,
    id: string | undefined,
  ): Promise<rpc.Written<rpc.MemberAddResponse>> {
    const place = { peerAddress: toPeerAddress(peerURLs), learner: isLearner };
    const result = await this.context.node.addMember(id === undefined ? place : { ...place, id });
    const { members, changed } = accepted(result);
    if (changed === undefined) throw new Error('the member that was added is not told');
    return { ...this.#response(members), member: this.#member(changed) };
  }

  async remove({ ID }: rpc.Id, withIds: boolean): Promise<rpc.Written<rpc.MembersResponse>> {
    const { members } = accepted(await this.context.node.removeMember(BigInt(ID)));
    return this.#response(withIds ? members.map(named) : members);
  }

  async update({
    ID,
    peerURLs,
  }: rpc.MemberUpdateRequest): Promise<rpc.Written<rpc.MembersResponse>> {
    const peerAddress = toPeerAddress(peerURLs);
    const result = await this.context.node.updateMember(BigInt(ID), peerAddress);
    return this.#response(accepted(result).members);
  }

  async promote({ ID }: rpc.Id): Promise<rpc.Written<rpc.MembersResponse>> {
    return this.#response(accepted(await this.context.node.promoteMember(BigInt(ID))).members);
  }

  #response(members: readonly QuorumMember[]): rpc.Written<rpc.MembersResponse> {
    return {
      header: this.context.header(),
      members: members.map((member) => this.#member(member)),
    };
  }

  /** Peers speak a protocol of their own: the scheme in their addresses is there for etcd's clients. */
  #member({
    number,
    name,
    peerAddress,
    clientAddresses,
    learner,
  }: QuorumMember): rpc.Written<rpc.Member> {
    return {
      ID: String(number),
      name,
      peerURLs: [`http://${peerAddress}`],
      clientURLs: clientAddresses.map((address) => `${this.context.scheme}://${address}`),
      isLearner: learner,
    };
  }
}

function asksForIds(metadata: Metadata): boolean {
  return metadata.get(MEMBER_ID_HEADER).length > 0;
}

/** One that has not started has no name of its own yet. */
function named(member: QuorumMember): QuorumMember {
  return { ...member, name: member.name || member.id };
}

function accepted(result: MembersResult): MembersResult & { readonly ok: true } {
  if (!result.ok) throw refused(result.refusal);
  return result;
}

/** A member has one address: `http://host:port`, also `https` or without a scheme. */
function toPeerAddress(urls: readonly string[]): string {
  const [url = ''] = urls;
  const address = /^(?:https?:\/\/)?([^/?#@\s]+:\d{1,5})\/?$/.exec(url)?.[1];
  if (urls.length !== 1 || address === undefined) throw refused('bad-urls');
  return address;
}
