import type { CoordinationNode } from '@pawl/metadata';
import type { MemberLog } from './member-log.js';

const LOOK_EVERY_MS = 100;
/** Between two lines that say that nothing has changed. */
const REMIND_EVERY_MS = 5_000;

/**
 * Says who leads whenever that changes, and while nobody does, now and then, what is waited for.
 * Answers how to end it.
 */
export function followMember(
  node: Pick<CoordinationNode, 'nodeStatus' | 'members'>,
  log: MemberLog,
): () => void {
  let said = '';
  let remindAt = 0;
  let busy = false;
  const look = async (): Promise<void> => {
    const line = await describe(node);
    if (line.waits ? line.text === said && Date.now() < remindAt : line.text === said) return;
    said = line.text;
    remindAt = Date.now() + REMIND_EVERY_MS;
    log[line.waits ? 'warn' : 'info'](line.text);
  };
  const timer = setInterval(() => {
    if (busy) return;
    busy = true;
    void look()
      .catch(() => undefined)
      .finally(() => (busy = false));
  }, LOOK_EVERY_MS);
  return () => clearInterval(timer);
}

async function describe(
  node: Pick<CoordinationNode, 'nodeStatus' | 'members'>,
): Promise<{ readonly text: string; readonly waits: boolean }> {
  const { leader, member, term, learner } = node.nodeStatus();
  const members = await node.members({ serializable: true });
  if (leader === null) {
    const others = members
      .filter(({ number, learner: isLearner }) => number !== member && !isLearner)
      .map(({ id, peerAddress }) => (peerAddress === '' ? id : `${id} (${peerAddress})`));
    const whom = others.length === 0 ? 'to be added by the quorum' : `for ${others.join(', ')}`;
    return { text: `nobody leads yet; waiting ${whom}`, waits: true };
  }
  const name = members.find(({ number }) => number === leader)?.id ?? String(leader);
  const who = leader === member ? 'this member leads' : `${name} leads`;
  return { text: `${who} term ${term}${learner ? '; this member learns' : ''}`, waits: false };
}
