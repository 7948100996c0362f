import { status } from '@grpc/grpc-js';
import type { Timer } from '@pawl/kernel';
import type { CoordinationNode } from '../coordination.port.js';
import type { Revision } from '../state/index.js';
import type { EtcdLimits } from './limits.js';
import { toStatusError } from './status-error.js';
import type { StatusError } from './status-error.js';

export interface ApiParts {
  readonly node: CoordinationNode;
  readonly limits: EtcdLimits;
  readonly timer: Timer;
  /** How members' addresses are told. */
  readonly scheme: 'http' | 'https';
  readonly log: (text: string) => void;
}

/** What every answer of this node begins with. */
export interface OwnHeader {
  readonly cluster_id: string;
  readonly member_id: string;
  readonly revision: Revision;
  readonly raft_term: number;
}

/** What all services of the API share. */
export class ApiContext {
  readonly node: CoordinationNode;
  readonly limits: EtcdLimits;
  readonly timer: Timer;
  readonly scheme: 'http' | 'https';
  readonly log: (text: string) => void;

  constructor(parts: ApiParts) {
    this.node = parts.node;
    this.limits = parts.limits;
    this.timer = parts.timer;
    this.scheme = parts.scheme;
    this.log = parts.log;
  }

  /** `revision` left out: the newest that this node has. */
  header(revision?: Revision): OwnHeader {
    const head = this.node.head();
    return {
      cluster_id: String(head.cluster),
      member_id: String(head.member),
      revision: revision ?? head.revision,
      raft_term: head.term,
    };
  }

  /** The failure to answer with; one that should not be is written to the log. */
  toStatus(error: unknown): StatusError {
    const answer = toStatusError(error);
    if (answer.code === status.INTERNAL) {
      const why = error instanceof Error ? (error.stack ?? error.message) : String(error);
      this.log(`a call to the coordination API failed: ${why}`);
    }
    return answer;
  }
}
