import type { ReleaseEvent, Sha256 } from '@pawl/contracts';
import { installationText } from '../engine-context.js';
import type { Installation, StoredHistoryEntry } from '../sharding/truth-store.port.js';

const ID_LENGTH = 32;

/**
 * A release transition as an event. Its id is of the line of history and of what is in it: the same
 * whenever it is made, and another for the line that a restored PostgreSQL puts in the same place.
 */
export function releaseEvent(
  { sequence, ...data }: StoredHistoryEntry,
  { installation, sha256 }: { readonly installation: Installation; readonly sha256: Sha256 },
): ReleaseEvent {
  const { address, at, author, action, releaseVersion } = data;
  // Other fields may be told by later versions of Pawl; the id stays.
  const line = [installation.id, sequence, address, at, author, action, releaseVersion];
  return {
    specversion: '1.0',
    id: sha256(JSON.stringify(line)).slice(0, ID_LENGTH),
    source: `urn:pawl:${installationText(installation)}`,
    type: `pawl.release.${data.action ?? 'change'}`,
    subject: data.address,
    time: data.at,
    datacontenttype: 'application/json',
    data,
  };
}
