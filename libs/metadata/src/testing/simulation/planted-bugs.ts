/** One place of one source, below this room's sources, that a bug changes. */
export interface PlantedEdit {
  readonly file: string;
  /** Occurs exactly once. */
  readonly text: string;
  readonly replacement: string;
}

export interface PlantedBug {
  readonly name: string;
  readonly edits: readonly PlantedEdit[];
}

const bug = (name: string, file: string, text: string, replacement: string): PlantedBug => ({
  name,
  edits: [{ file, text, replacement }],
});

/**
 * Classic faults of a replicated store above its log, each of which the simulated worlds find. To
 * keep one out of a run it is enough to leave it out of the list.
 */
export const PLANTED_BUGS: readonly PlantedBug[] = [
  bug(
    'linearizable reads do not ask the quorum',
    'quorum/quorum-node.ts',
    'if (!serializable) await this.#host.barrier.pass();',
    'await Promise.resolve(serializable);',
  ),
  bug(
    'a reader shares a confirmation that began before it',
    'quorum/shared-barrier.ts',
    'this.#running = true;\n    this.#next = null;',
    'this.#running = true;',
  ),
  bug(
    'a lease gets its full time again with each change of the leader',
    'quorum/lease-keeper.ts',
    'this.#begin(id, ttlMs, Math.min(remainingMs, mostMs))',
    'this.#begin(id, ttlMs, mostMs)',
  ),
  bug(
    'a renewal leaves what was recorded before to the next leader',
    'quorum/lease-keeper.ts',
    'await this.#takeBack(takeBack);',
    'await Promise.resolve(takeBack);',
  ),
  bug(
    'leases are renewed by a leader that has not confirmed its quorum',
    'quorum/quorum-host.ts',
    'await Promise.all([leadership.begun, this.barrier.pass()]);',
    'await leadership.begun;',
  ),
  bug(
    'a lease ends half of its time after its renewal',
    'quorum/lease-keeper.ts',
    'lease.deadlineMs = now + lease.ttlMs;',
    'lease.deadlineMs = now + lease.ttlMs / 2;',
  ),
  bug(
    'the time of leases is counted by the wall clock',
    'quorum/lease-keeper.ts',
    'return this.#options.clock.monotonicMs();',
    'return this.#options.clock.wallMs();',
  ),
  bug(
    'leases end at once where the clock jumped ahead',
    'quorum/lease-keeper.ts',
    'if (lease.deadlineMs <= now && stoodStill && !lease.graced)',
    'if (lease.deadlineMs < 0 && stoodStill && !lease.graced)',
  ),
  bug(
    'a command that is proposed again is done again',
    'state/session-table.ts',
    'if (answer !== undefined) {',
    'if (answer !== undefined && answer.length < 0) {',
  ),
  bug(
    'snapshots leave out what was answered',
    'state/metadata-state.ts',
    'answers: new Map(session.answers),',
    'answers: new Map(),',
  ),
  bug(
    'an outcome that is not known is told as a failure',
    'quorum/session-calls.ts',
    "call.attempts > 0 ? 'unknown' : 'no'",
    "call.attempts < 0 ? 'unknown' : 'no'",
  ),
  bug(
    'the events at the compaction revision are passed over',
    'state/metadata-state.ts',
    'Math.max(query.from, this.#keys.firstRevision)',
    'Math.max(query.from, this.#keys.firstRevision + 1)',
  ),
  bug(
    'a watch that was too slow goes on behind what it refused',
    'watch/watch-hub.ts',
    'watcher.at = taken ? changes.revision + 1 : changes.revision;',
    'watcher.at = changes.revision + 1;',
  ),
  bug(
    'a watch whose place was compacted away goes on silently',
    'watch/watch-hub.ts',
    'this.close(watcher);\n      watcher.sink.compacted(page.compactRevision);',
    'watcher.at = page.compactRevision;',
  ),
  bug(
    'a watch that keeps up is not told what is compacted in the turn that wrote it',
    'quorum/quorum-host.ts',
    "if (command.kind === 'compact') this.#readAhead();",
    'void command;',
  ),
  bug(
    'a watch that catches up is told of its last revision again',
    'watch/watch-hub.ts',
    'watcher.at = page.next;',
    'watcher.at = Math.max(at, page.revisions.at(-1)?.revision ?? page.next);',
  ),
  bug(
    'reads of what was compacted are answered from what is left',
    'state/execute-txn.ts',
    "return revision < keys.compactRevision ? 'compacted' : null;",
    'return null;',
  ),
  bug(
    'a revision of the past is read at the newest',
    'state/metadata-state.ts',
    'this.#keys.range(request, revision, limit, work)',
    'this.#keys.range(request, 0, limit, work)',
  ),
];
