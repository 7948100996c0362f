import { Metadata, Server, ServerCredentials, status } from '@grpc/grpc-js';
import type { sendUnaryData, ServerUnaryCall } from '@grpc/grpc-js';
import { etcdServices } from '../etcd-protocol/services.js';

/** A member in the words of etcd's Cluster service. */
export interface FakeMember {
  readonly ID: string;
  readonly name: string;
  readonly peerURLs: readonly string[];
  readonly clientURLs: readonly string[];
  readonly isLearner: boolean;
}

type Call = ServerUnaryCall<Record<string, never>, unknown>;
type Reply = sendUnaryData<unknown>;
type Work = (request: Readonly<Record<string, unknown>>, id: string | undefined) => object;

/**
 * The Cluster service, Status and MoveLeader of several members, each on a port of its own, with
 * what was asked noted down. Nothing is replicated: they share one list.
 */
export class FakeCluster {
  members: FakeMember[] = [];
  leader = '';
  /** Name of the method and what it was given, in order. */
  readonly asked: { readonly method: string; readonly request: object; readonly id?: string }[] =
    [];
  /** The next change is refused with this. */
  refusal: string | null = null;
  /** Members that know no leader, by name: they tell who they are, and nothing else. */
  readonly leaderless = new Set<string>();
  readonly #servers = new Map<string, Server>();
  /** Ids of those that were added, and have not started, by number. */
  readonly #added = new Map<string, string>();

  /** The first leads. */
  static async start(names: readonly string[]): Promise<FakeCluster> {
    const cluster = new FakeCluster();
    for (const [at, name] of names.entries()) await cluster.#serve(`${at + 17}`, name);
    cluster.leader = cluster.members[0]?.ID ?? '';
    return cluster;
  }

  /** `host:port` of a member's coordination API. */
  endpoint(name: string): string {
    const [url = ''] = this.members.find((member) => member.name === name)?.clientURLs ?? [];
    return url.replace('http://', '');
  }

  /** The member answers no more. */
  kill(name: string): void {
    this.#servers.get(name)?.forceShutdown();
  }

  stop(): void {
    for (const server of this.#servers.values()) server.forceShutdown();
  }

  async #serve(ID: string, name: string): Promise<void> {
    const server = new Server();
    const services = etcdServices();
    const answer = (method: string, work: Work) => this.#answer(name, method, work);
    server.addService(services['etcdserverpb.Cluster'], {
      MemberList: answer('MemberList', (_request, id) => this.#list('0', id !== undefined)),
      MemberAdd: answer('MemberAdd', (request, id) => {
        if (id !== undefined) this.#added.set('99', id);
        const { peerURLs, isLearner } = request as unknown as FakeMember;
        this.members.push({ ID: '99', name: '', peerURLs, clientURLs: [], isLearner });
        return this.#list();
      }),
      MemberRemove: answer('MemberRemove', (request, id) => {
        this.members = this.members.filter((member) => member.ID !== request['ID']);
        return this.#list('0', id !== undefined);
      }),
    });
    server.addService(services['etcdserverpb.Maintenance'], {
      Status: answer('Status', () => ({
        ...this.#list(ID),
        version: '3.4.0',
        dbSize: '4096',
        leader: this.leaderless.has(name) ? '0' : this.leader,
        raftTerm: '7',
        raftAppliedIndex: '41',
        isLearner: false,
      })),
      MoveLeader: answer('MoveLeader', (request) => {
        this.leader = String(request['targetID']);
        return {};
      }),
    });
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      );
    });
    this.#servers.set(name, server);
    const clientURLs = [`http://127.0.0.1:${port}`];
    const peerURLs = [`http://127.0.0.1:${Number(ID) + 1000}`];
    this.members.push({ ID, name, peerURLs, clientURLs, isLearner: false });
  }

  #list(ID = '0', withIds = false): object {
    const header = { cluster_id: '5', member_id: ID, revision: '12', raft_term: '7' };
    const named = (member: FakeMember): FakeMember => ({
      ...member,
      name: member.name || (this.#added.get(member.ID) ?? ''),
    });
    return { header, members: withIds ? this.members.map(named) : this.members };
  }

  #answer(member: string, method: string, work: Work) {
    return (call: Call, reply: Reply): void => {
      const id = call.metadata.get('pawl-member-id')[0]?.toString();
      const noted = { method, request: call.request };
      this.asked.push(id === undefined ? noted : { ...noted, id });
      const refusal = this.leaderless.has(member) ? 'etcdserver: no leader' : this.refusal;
      if (refusal !== null && method !== 'MemberList' && method !== 'Status') {
        const metadata = new Metadata();
        const isLasting = !/(unhealthy cluster|no leader)$/.test(refusal);
        const code = isLasting ? status.FAILED_PRECONDITION : status.UNAVAILABLE;
        reply({ code, details: refusal, metadata });
        return;
      }
      reply(null, work(call.request, id));
    };
  }
}
