import { describe, expect, it } from 'vitest';
import { checkWatches } from './check-watches.js';
import type { WatchedEvent, WatchMessage, WatchRecord } from './check-watches.js';
import { HistoryModel } from './history-model.js';
import { written } from './written.fixture.js';

/* Revisions 2 to 6. */
const LOG = written('a=1', 'a=2 b=1', 'x=1', '-a', 'b=2');
const model = new HistoryModel(LOG);

/** Events of the keys a to c of some revisions, in one message. */
function told(...revisions: number[]): Extract<WatchMessage, { kind: 'events' }> {
  const events = revisions
    .flatMap((revision) => model.eventsOf(revision))
    .filter(({ kv }) => kv.key < 'c');
  return { kind: 'events', events };
}

function withPrevious(message: ReturnType<typeof told>): ReturnType<typeof told> {
  const events = message.events.map((event) => ({
    ...event,
    previous: model.get(event.kv.key, event.kv.modRevision - 1),
  }));
  return { kind: 'events', events };
}

function change(
  message: ReturnType<typeof told>,
  to: (events: readonly WatchedEvent[]) => readonly WatchedEvent[],
): ReturnType<typeof told> {
  return { ...message, events: to(message.events) };
}

const progress = (revision: number): WatchMessage => ({ kind: 'progress', revision });
const compacted = (compactRevision: number): WatchMessage => ({
  kind: 'compacted',
  compactRevision,
});

function rules(
  messages: readonly WatchMessage[],
  more: Partial<WatchRecord> & { readonly compacted?: number } = {},
): string[] {
  const { compacted: to, ...rest } = more;
  const watch = { name: 'w', range: { key: 'a', rangeEnd: 'c' }, from: 2, messages, ...rest };
  const history = { watches: [watch], written: LOG, ...(to !== undefined && { compacted: to }) };
  return checkWatches(history).map(({ rule }) => rule);
}

describe('the check of watches', () => {
  it('accepts what is told in order, whole, in any batches', () => {
    expect(rules([told(2), told(3), told(5), told(6)], { upTo: 6 })).toEqual([]);
    expect(rules([told(2, 3, 5, 6)], { upTo: 6 })).toEqual([]);
    expect(rules([progress(1), told(2, 3), progress(4), told(5)], { upTo: 5 })).toEqual([]);
    expect(rules([told(5, 6)], { from: 4, isResumed: true, upTo: 6 })).toEqual([]);
    expect(rules([], { from: 99 })).toEqual([]);
  });

  it('W1: tells an event that comes late', () => {
    expect(rules([told(2), told(5), told(3), told(6)])).toEqual(['W3', 'W1']);
    expect(rules([told(2), change(told(3), (events) => events.toReversed())])).toEqual(['W1']);
  });

  it('W2: tells an event that comes twice', () => {
    expect(rules([told(2), told(2), told(3)])).toContain('W2');
    expect(rules([change(told(2), (events) => [...events, ...events])])).toContain('W2');
  });

  it('W3: tells a gap, an end that is missing, and an event that never was', () => {
    expect(rules([told(2), told(5)])).toEqual(['W3']);
    expect(rules([told(2, 3)], { upTo: 6 })).toEqual(['W3']);
    expect(rules([told(2, 3)])).toEqual([]);
    const other = change(told(2), ([event]) => [
      { kind: 'put', kv: { ...event!.kv, value: 'other' } },
    ]);
    expect(rules([other])).toEqual(['W3']);
  });

  it('W4: tells a revision in pieces, except in fragments', () => {
    const first = change(told(3), (events) => events.slice(0, 1));
    const rest = change(told(3), (events) => events.slice(1));
    expect(rules([told(2), first])).toEqual(['W4']);
    expect(rules([told(2), first, rest])).toEqual(['W4', 'W4']);
    expect(rules([told(2), { ...first, fragment: true }, rest], { upTo: 3 })).toEqual([]);
    expect(rules([told(2), { ...first, fragment: true }], { upTo: 3 })).toEqual(['W4', 'W3']);
    expect(rules([told(2), { ...first, fragment: true }, progress(2), rest])).toEqual(['W4']);
  });

  it('W5: tells a resumed watch that leaves out the next, or begins before', () => {
    expect(rules([told(5)], { from: 3, isResumed: true })).toEqual(['W5']);
    expect(rules([told(2), told(3)], { from: 3, isResumed: true })).toEqual(['W5']);
  });

  it('W6: tells progress ahead of events, and events behind progress', () => {
    expect(rules([told(2), progress(3), told(3)])).toEqual(['W6', 'W1']);
    expect(rules([told(2, 3), progress(4), told(5)])).toEqual([]);
    expect(rules([told(2, 3, 5, 6), progress(9)])).toEqual(['W6']);
  });

  it('W7: tells an end for a compaction that was none, and anything after it', () => {
    expect(rules([told(2), compacted(5)], { compacted: 5 })).toEqual([]);
    expect(rules([told(2), compacted(5)], { compacted: 4 })).toEqual(['W7']);
    expect(rules([told(2, 3), compacted(4)], { compacted: 4 })).toEqual(['W7']);
    expect(rules([compacted(5), told(2)], { compacted: 5 })).toEqual(['W7']);
    // Before the first write of all a watch may be at 1, which a compaction to 2 takes away.
    expect(rules([compacted(2)], { from: 1, compacted: 2 })).toEqual([]);
    expect(rules([compacted(2)], { from: 2, compacted: 2 })).toEqual(['W7']);
    const keptUp = { ...compacted(5), keptUp: true } as const;
    expect(rules([told(2), keptUp], { compacted: 5 })).toEqual(['W7']);
    // Passed over in silence.
    expect(rules([told(5)], { compacted: 5 })).toEqual(['W3']);
  });

  it('W8: tells what a filter should have kept back, and false previous values', () => {
    const putsOnly = { without: ['delete' as const] };
    expect(rules([told(2), told(3), told(6)], { ...putsOnly, upTo: 6 })).toEqual([]);
    expect(rules([told(2), told(3), told(5)], putsOnly)).toEqual(['W8']);
    expect(rules([{ kind: 'events', events: model.eventsOf(4) }], { from: 4 })).toEqual(['W8']);
    const full = [2, 3, 5, 6].map((revision) => withPrevious(told(revision)));
    expect(rules(full, { prevKv: true, upTo: 6 })).toEqual([]);
    expect(rules(full)).toContain('W8');
    expect(rules([told(2)], { prevKv: true })).toEqual(['W8']);
    const wrong = change(told(3), (events) =>
      events.map((event) => ({ ...event, previous: null })),
    );
    expect(rules([full[0]!, wrong], { prevKv: true })).toEqual(['W8']);
    expect(rules([full[0]!, wrong], { prevKv: true, compacted: 3 })).toEqual([]);
  });
});
