import { Controller, Get, Inject, Req, Res } from '@nestjs/common';
import type { ClusterView } from '@pawl/contracts';
import type { ConfigEngine } from '@pawl/engine';
import type { QuorumMember } from '@pawl/metadata';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { send, valueOf } from '../http/answers.js';
import { Query } from '../http/query.js';
import { CONFIG_ENGINE, QUORUM_MEMBERS } from '../tokens.js';

/** A member of the quorum; `behind` is known to the leader only, and not of itself. */
export type KnownMember = QuorumMember & {
  /** Entries of the log that it is not known to have. */
  readonly behind?: number;
};

/** The members of the embedded quorum as this node knows them; empty where the metadata is in etcd. */
export type QuorumMembers = () => Promise<readonly KnownMember[]>;

/** Nodes, quorum and shards: `/v1/cluster`. */
@Controller('v1/cluster')
export class ClusterController {
  constructor(
    @Inject(CONFIG_ENGINE) private readonly engine: ConfigEngine,
    @Inject(QUORUM_MEMBERS) private readonly members: QuorumMembers,
  ) {}

  @Get()
  async get(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    new Query(request, []);
    const view = valueOf(await this.engine.cluster());
    send(reply, withMembers(view, await this.members()));
  }
}

function withMembers(view: ClusterView, members: readonly KnownMember[]): ClusterView {
  if (members.length === 0) return view;
  const learners = members.filter(({ learner }) => learner).map(({ id }) => id);
  const addresses = members.map(({ id, peerAddress, clientAddresses }) => ({
    id,
    peer: peerAddress,
    clients: [...clientAddresses],
  }));
  const behind = members.flatMap((member) =>
    member.behind === undefined ? [] : [{ id: member.id, behind: member.behind }],
  );
  const replication = behind.length === 0 ? null : behind;
  return { ...view, quorum: { ...view.quorum, learners, replication, addresses } };
}
