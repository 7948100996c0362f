import { assert } from '@pawl/kernel';
import type { KeyEvent, Revision, RevisionEvents } from './types.js';

/** What every revision changed, from the oldest that is kept to the newest, without a gap. */
export class EventLog {
  #entries: RevisionEvents[] = [];

  append(revision: Revision, events: readonly KeyEvent[]): void {
    const newest = this.#entries.at(-1);
    assert(newest === undefined || revision === newest.revision + 1, 'revisions have no gap');
    this.#entries.push({ revision, events });
  }

  /** Forgets revisions below `revision`; of the events at it, what was before them. */
  compact(revision: Revision): void {
    const first = this.#entries[0];
    if (first === undefined || first.revision > revision) return;
    this.#entries = this.#entries.slice(revision - first.revision);
    const oldest = this.#entries[0];
    if (oldest === undefined) return;
    const events = oldest.events.map((event) => ({ ...event, previous: null }));
    this.#entries[0] = { revision: oldest.revision, events };
  }

  /** Revisions from `revision` on, at most `limit`. */
  from(revision: Revision, limit: number): readonly RevisionEvents[] {
    const first = this.#entries[0];
    if (first === undefined) return [];
    const start = Math.max(0, revision - first.revision);
    return this.#entries.slice(start, start + limit);
  }
}
