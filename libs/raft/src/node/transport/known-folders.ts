import type { NodeId } from '../../core/index.js';
import { printable } from './protocol-error.js';

/**
 * Which data folder each peer was first seen with, for as long as this process runs or until the
 * peer is no longer one. Two folders of one id are two nodes, of which one does not know what the
 * other voted.
 */
export class KnownFolders {
  readonly #known = new Map<NodeId, { readonly folderId: string; readonly since: string }>();

  /** The peer's folder is known from elsewhere; answers whether another one counted until now. */
  expect(id: NodeId, folderId: string): boolean {
    const known = this.#known.get(id)?.folderId;
    this.#known.set(id, { folderId, since: 'named in the member table' });
    return known !== undefined && known !== folderId;
  }

  /**
   * Remembers the folder of a peer seen for the first time. `at` is where it was met, for people.
   * Answers why the peer must be refused, `null` when it is the one that is known.
   */
  admit(id: NodeId, folderId: string, at: string): string | null {
    const known = this.#known.get(id);
    if (known === undefined) {
      this.#known.set(id, { folderId, since: `met at ${at}` });
      return null;
    }
    if (known.folderId === folderId) return null;
    const name = printable(id);
    return (
      `a second node with the id ${name}: the one at ${at} has data folder ${short(folderId)}, ` +
      `the one known since before (${known.since}) has ${short(known.folderId)}. ` +
      `Stop the one at ${at} and start it under an id of its own; if it is to replace ${name}, ` +
      `remove ${name} from the cluster first and add it again`
    );
  }

  forget(id: NodeId): void {
    this.#known.delete(id);
  }
}

function short(folderId: string): string {
  return printable(folderId, 16);
}
