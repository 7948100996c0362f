import { delay } from './delay.mjs';
import { asError, Failure } from './failure.mjs';

/** The quorum takes one change at a time, and none while it has no leader. */
const DEADLINE_MS = 60_000;
const RETRY_MS = 250;
const CALL_TIMEOUT_MS = 15_000;

/**
 * Lets a node with an empty folder into the quorum, which it then joins. Done already is done; a
 * member of that name that had a folder, which is gone, is taken out first.
 *
 * @param {{ endpoint: string, id: string, peerAddress: string, signal: AbortSignal }} options
 *   `endpoint`: coordination API of a member, `host:port`
 */
export async function letIn({ endpoint, id, peerAddress, signal }) {
  const { ClusterClient, ClusterCallError } =
    await import('../../../libs/metadata/dist/cluster-client/index.js');
  const client = new ClusterClient({ endpoint, timeoutMs: CALL_TIMEOUT_MS });
  const untilMs = Date.now() + DEADLINE_MS;
  try {
    for (;;) {
      try {
        return await letInOnce(client, id, peerAddress);
      } catch (error) {
        if (!(error instanceof ClusterCallError)) throw error;
        if (Date.now() > untilMs) throw refusal(id, error);
      }
      await delay(RETRY_MS, signal);
    }
  } finally {
    client.close();
  }
}

/**
 * @param {import('../../../libs/metadata/dist/cluster-client/index.js').ClusterClient} client
 * @param {string} id
 * @param {string} peerAddress
 */
async function letInOnce(client, id, peerAddress) {
  const { members } = await client.members();
  const waiting = members.find(
    (member) => member.name === '' && member.peerAddress === peerAddress,
  );
  if (waiting !== undefined) return;
  const lost = members.find(({ name }) => name === id);
  if (lost !== undefined) await client.remove(lost.number);
  await client.add({ id, peerAddress, learner: false });
}

/** @param {string} id @param {unknown} error */
function refusal(id, error) {
  return new Failure(`The quorum does not let ${id} in: ${asError(error).message}.`, {
    cause: error,
  });
}
