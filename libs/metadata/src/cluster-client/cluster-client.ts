import { Client, credentials, Metadata, status } from '@grpc/grpc-js';
import type { ServiceError } from '@grpc/grpc-js';
import { etcdMethod } from '../etcd/etcd-method.js';
import { addressOf, peerUrl } from './address-url.js';
import { MEMBER_ID_HEADER } from './member-id-header.js';

/** A member as the Cluster service tells of it. */
export interface ClusterMember {
  readonly number: bigint;
  /** Of one that has not started empty, or with `withIds` the id that it was added under. */
  readonly name: string;
  /** `host:port`. */
  readonly peerAddress: string;
  readonly clientAddresses: readonly string[];
  readonly learner: boolean;
}

export interface ClusterMembers {
  readonly cluster: bigint;
  readonly members: readonly ClusterMember[];
}

/** What one member says of itself. */
export interface MemberState {
  readonly number: bigint;
  /** Null while nobody leads. */
  readonly leader: bigint | null;
  readonly term: bigint;
  readonly revision: bigint;
  readonly appliedIndex: bigint;
  readonly sizeBytes: bigint;
  readonly learner: boolean;
}

/** PEM texts; without `cert` and `key` the client shows none. */
export interface ClusterTls {
  readonly ca: Buffer | null;
  readonly cert: Buffer | null;
  readonly key: Buffer | null;
}

export interface ClusterClientOptions {
  /** `host:port` of a member. */
  readonly endpoint: string;
  /** Left out: in the clear. */
  readonly tls?: ClusterTls;
  readonly timeoutMs: number;
}

/** Why a member did not do as asked; the message is its own, or says that it did not answer. */
export class ClusterCallError extends Error {
  override readonly name = 'ClusterCallError';
  constructor(
    message: string,
    /**
     * `refused`: nothing was changed. `no-leader`: nor here, where nobody is known to lead; another
     * member may know who does. `unknown`: it may have been.
     */
    readonly outcome: 'refused' | 'no-leader' | 'unreachable' | 'unknown',
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** Of a member that answers, though with the code of one that does not. */
const UNHEALTHY = 'etcdserver: unhealthy cluster';
const NO_LEADER = 'etcdserver: no leader';

interface WireMember {
  readonly ID: string;
  readonly name: string;
  readonly peerURLs: readonly string[];
  readonly clientURLs: readonly string[];
  readonly isLearner: boolean;
}

interface WireHeader {
  readonly cluster_id: string;
  readonly member_id: string;
  readonly revision: string;
}

interface WireMembers {
  readonly header: WireHeader | null;
  readonly members: readonly WireMember[];
}

interface WireStatus {
  readonly header: WireHeader | null;
  readonly leader: string;
  readonly raftTerm: string;
  readonly raftAppliedIndex: string;
  readonly dbSize: string;
  readonly isLearner: boolean;
}

/** The Cluster service and what belongs to it of Maintenance, of one member. */
export class ClusterClient {
  readonly #client: Client;

  constructor(private readonly options: ClusterClientOptions) {
    const { tls } = options;
    const security =
      tls === undefined
        ? credentials.createInsecure()
        : credentials.createSsl(tls.ca, tls.key, tls.cert);
    this.#client = new Client(options.endpoint, security, {
      'grpc.use_local_subchannel_pool': 1,
      'grpc.enable_http_proxy': 0,
    });
  }

  get endpoint(): string {
    return this.options.endpoint;
  }

  async members({ withIds = false } = {}): Promise<ClusterMembers> {
    const metadata = withIds ? allNamed() : new Metadata();
    return membersOf(await this.#call<WireMembers>('Cluster', 'MemberList', {}, metadata));
  }

  /** `id` is the node's; it starts as a learner, and stays one if `learner`. */
  async add(member: {
    readonly id: string;
    readonly peerAddress: string;
    readonly learner: boolean;
  }): Promise<ClusterMembers> {
    const metadata = new Metadata();
    metadata.set(MEMBER_ID_HEADER, member.id);
    const request = { peerURLs: [peerUrl(member.peerAddress)], isLearner: member.learner };
    return membersOf(await this.#call<WireMembers>('Cluster', 'MemberAdd', request, metadata));
  }

  /** The members that are left come with ids. */
  async remove(number: bigint): Promise<ClusterMembers> {
    const request = { ID: `${number}` };
    return membersOf(await this.#call<WireMembers>('Cluster', 'MemberRemove', request, allNamed()));
  }

  async promote(number: bigint): Promise<ClusterMembers> {
    return membersOf(
      await this.#call<WireMembers>('Cluster', 'MemberPromote', { ID: `${number}` }),
    );
  }

  /** Asked of the leader only; resolves once the other leads. */
  async moveLeader(to: bigint): Promise<void> {
    await this.#call<unknown>('Maintenance', 'MoveLeader', { targetID: `${to}` });
  }

  async status(): Promise<MemberState> {
    const answer = await this.#call<WireStatus>('Maintenance', 'Status', {});
    return {
      number: BigInt(answer.header?.member_id ?? 0),
      leader: answer.leader === '0' ? null : BigInt(answer.leader),
      term: BigInt(answer.raftTerm),
      revision: BigInt(answer.header?.revision ?? 0),
      appliedIndex: BigInt(answer.raftAppliedIndex),
      sizeBytes: BigInt(answer.dbSize),
      learner: answer.isLearner,
    };
  }

  close(): void {
    this.#client.close();
  }

  #call<Answer>(
    service: 'Cluster' | 'Maintenance',
    name: string,
    request: object,
    metadata = new Metadata(),
  ): Promise<Answer> {
    const { path, requestSerialize, responseDeserialize } = etcdMethod(service, name);
    const deadline = Date.now() + this.options.timeoutMs;
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest<object, Answer>(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        metadata,
        { deadline },
        (error, answer) => {
          if (error !== null) reject(this.#explain(error));
          else if (answer === undefined) reject(new ClusterCallError('no answer', 'unknown'));
          else resolve(answer);
        },
      );
    });
  }

  #explain(error: ServiceError): ClusterCallError {
    const { code, details } = error;
    const cause = { cause: error };
    if (details === NO_LEADER) return new ClusterCallError('no leader', 'no-leader', cause);
    if (code === status.UNAVAILABLE && details !== UNHEALTHY) {
      const why = details.replace(/\.? *Resolution note: *$/, '');
      return new ClusterCallError(`${this.endpoint}: ${why}`, 'unreachable', cause);
    }
    if (code === status.DEADLINE_EXCEEDED) {
      const late = `${this.endpoint} did not answer within ${this.options.timeoutMs} ms; it may yet do it`;
      return new ClusterCallError(late, 'unknown', cause);
    }
    return new ClusterCallError(details.replace(/^etcdserver: /, ''), 'refused', cause);
  }
}

function membersOf({ header, members }: WireMembers): ClusterMembers {
  return {
    cluster: BigInt(header?.cluster_id ?? 0),
    members: members.map(({ ID, name, peerURLs, clientURLs, isLearner }) => ({
      number: BigInt(ID),
      name,
      peerAddress: addressOf(peerURLs[0] ?? ''),
      clientAddresses: clientURLs.map(addressOf),
      learner: isLearner,
    })),
  };
}

function allNamed(): Metadata {
  const metadata = new Metadata();
  metadata.set(MEMBER_ID_HEADER, '*');
  return metadata;
}
