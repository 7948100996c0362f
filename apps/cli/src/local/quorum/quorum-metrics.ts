import type { CoordinationNode } from '@pawl/metadata';
import { Metrics } from '@pawl/platform';

/** What `/metrics` of a quorum member shows: the process, and the member's own view. */
export function quorumMetrics(node: Pick<CoordinationNode, 'nodeStatus'>): Metrics {
  const metrics = new Metrics();
  metrics.observeProcess();
  const gauge = (name: string, help: string, read: () => number): void =>
    void metrics.gauge({ name: `pawl_quorum_${name}`, help }, read);
  const status = (): ReturnType<CoordinationNode['nodeStatus']> => node.nodeStatus();
  gauge('has_leader', '1 while somebody is known to lead', () => Number(status().leader !== null));
  gauge('is_leader', '1 while this member leads', () => {
    const { leader, member } = status();
    return Number(leader === member);
  });
  gauge('is_learner', '1 while this member does not vote', () => Number(status().learner));
  gauge('term', 'Term of the quorum as this member knows it', () => status().term);
  gauge('log_index', 'Last entry of this member’s log', () => status().raftIndex);
  gauge('applied_index', 'Last entry that this member has applied', () => status().appliedIndex);
  gauge('revision', 'Revision of the store on this member', () => status().revision);
  gauge('store_bytes', 'What the store keeps on this member', () => status().sizeBytes);
  gauge('store_bytes_in_use', 'What of it can still be read', () => status().sizeInUseBytes);
  gauge('alarms', 'Alarms that are raised', () => status().alarms.length);
  return metrics;
}
