import { decodeConfiguration, encodeConfiguration, foundedBy, members } from '../core/index.js';
import type { DurableState, Entry } from '../core/index.js';
import { EMPTY_BATCH } from './write-ahead-log.js';
import type { WriteAheadLog } from './write-ahead-log.js';

/**
 * Appends, all at once, a configuration of this node alone and a command, in a term of its own; the
 * log then begins as theirs. Does nothing where the node is alone already.
 */
export async function makeAlone(
  log: WriteAheadLog,
  state: DurableState,
  { nodeId, command }: { readonly nodeId: string; readonly command: Uint8Array },
): Promise<DurableState> {
  const { snapshot, entries, hardState } = state;
  const newest = entries.findLast(({ kind }) => kind === 'configuration');
  const now = newest === undefined ? snapshot.configuration : decodeConfiguration(newest.data);
  if (members(now).join() === nodeId && now.voters.includes(nodeId)) return state;
  const term = hardState.term + 1;
  const last = entries.at(-1)?.index ?? snapshot.index;
  const data = encodeConfiguration(foundedBy([nodeId]));
  const added: Entry[] = [
    { index: last + 1, term, kind: 'configuration', data },
    { index: last + 2, term, kind: 'command', data: command },
  ];
  const forced = { ...hardState, term, vote: nodeId };
  await log.append({ ...EMPTY_BATCH, hardState: forced, entries: added });
  return { snapshot, hardState: forced, entries: [...entries, ...added] };
}
