import type { CoordinationNode } from '../coordination.port.js';
import { textToBytes } from '../text.js';

/** Never written: what a probe reads. */
const PROBE_KEY = textToBytes('pawl/health');

/**
 * What keeps a member from serving; null: nothing. Makes one linearizable read, which needs a leader,
 * a majority, and that this member goes on applying; rejects when that is not answered in time.
 */
export async function quorumProblem(
  node: Pick<CoordinationNode, 'nodeStatus' | 'range'>,
): Promise<string | null> {
  const { leader, alarms } = node.nodeStatus();
  if (leader === null) return 'nobody leads the quorum';
  if (alarms.some(({ alarm }) => alarm === 'corrupt')) return 'members hold different data';
  await node.range({ key: PROBE_KEY });
  return null;
}
