import { needsApproval } from '@pawl/domain';
import type { StagedRelease } from '@pawl/domain';
import type { Finding } from './finding.js';

/** Whether the stage that is reached waits for nobody's go-ahead, or for no more. */
export function isApproved(staged: StagedRelease): boolean {
  return staged.approved === staged.stage || !needsApproval(staged);
}

/** The same as a gate of the kind `approval` tells it. */
export function approvalOf(staged: StagedRelease | null): Finding {
  if (staged === null || !needsApproval(staged)) {
    return { outcome: 'pass', why: 'this stage needs none' };
  }
  return isApproved(staged)
    ? { outcome: 'pass', why: 'somebody approved this stage' }
    : { outcome: 'inconclusive', why: 'nobody has approved this stage yet' };
}
