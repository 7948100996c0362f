import { askAsStranger } from '@pawl/raft/node';
import type { PeerAddress, PeerTls } from '@pawl/raft/node';
import type { Timer } from '@pawl/kernel';
import { idOfAddress } from './member-number.js';
import { decodeAnswer, encodeRequest } from './peer-codec.js';

export interface PlaceQuestion {
  /** What the node that joins calls itself. */
  readonly nodeId: string;
  /** `host:port` where the others are to reach it. */
  readonly peerAddress: string;
  readonly clusterId: string;
  readonly peers: readonly PeerAddress[];
  readonly tls?: PeerTls;
  readonly timer: Timer;
}

const QUESTION = encodeRequest({ kind: 'members', index: 0, inside: [], members: [] });
const DEADLINE_MS = 2000;

/**
 * The id of a node that joins: its own name, unless the members were told its address alone, as by
 * `etcdctl member add`, and expect it under the id that this gives.
 */
export async function idToJoinUnder(question: PlaceQuestion): Promise<string> {
  const { nodeId, peerAddress, peers, ...options } = question;
  const byAddress = idOfAddress(peerAddress);
  const told = await Promise.all(
    peers.map(async (peer) => {
      try {
        const asking = { ...options, nodeId, deadlineMs: DEADLINE_MS };
        const answer = decodeAnswer(await askAsStranger(asking, peer, QUESTION));
        return answer.kind === 'members' ? [answer] : [];
      } catch {
        return [];
      }
    }),
  );
  const [newest] = told.flat().sort((a, b) => b.index - a.index);
  const expects = (id: string): boolean =>
    newest?.members.some((member) => member.id === id && member.wanted !== 'removed') === true;
  return !expects(nodeId) && expects(byAddress) ? byAddress : nodeId;
}
