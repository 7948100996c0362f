import { crc32 } from 'node:zlib';
import { assert } from '@pawl/kernel';
import type { LogMachine } from '../../quorum/replicated-log.port.js';
import type { MetadataState } from '../../state/index.js';
import { bytesToText, textToBytes } from '../../text.js';
import type { HistoryRevision } from '../history/index.js';
import { toRevision } from './history-forms.js';
import type { LeaderMoment } from './leader-time.js';

/** Every key, and every change of one look. */
const EVERYTHING = { key: textToBytes('\0'), rangeEnd: textToBytes('\0') };
const ALL = { changes: Infinity, events: Infinity };

interface AppliedEntry {
  readonly term: number;
  readonly command: number;
  readonly revision: number;
}

/**
 * What the nodes of one cluster applied: the same command at the same index with the same effect on
 * each (I4), also where a snapshot took the place of commands, and never one index twice in one
 * process. Keeps the history that they made, before anybody compacts it.
 */
export class AppliedLog {
  readonly written: HistoryRevision[] = [];
  /** When a key was first seen deleted anywhere. */
  readonly deletedAt = new Map<string, LeaderMoment>();
  readonly #entries = new Map<number, AppliedEntry>();
  readonly #lastIndex = new Map<string, number>();
  readonly #restores = new Map<string, number>();

  constructor(private readonly now: () => LeaderMoment) {}

  /** The machine, with what it does compared and kept. `stateOf`: null while its host opens. */
  follow(id: string, machine: LogMachine, stateOf: () => MetadataState | null): LogMachine {
    this.#lastIndex.set(id, 0);
    return {
      apply: (bytes, at) => {
        machine.apply(bytes, at);
        const state = stateOf();
        assert(
          at.index > (this.#lastIndex.get(id) ?? 0),
          `${id} applies each index once, in order`,
        );
        this.#lastIndex.set(id, at.index);
        if (state === null) return;
        this.#compare(id, at.index, {
          term: at.term,
          command: crc32(bytes),
          revision: state.revision,
        });
        this.#read(state);
      },
      snapshot: () => machine.snapshot(),
      restore: (bytes) => this.#restore(id, machine.restore(bytes), stateOf),
    };
  }

  *#restore(id: string, steps: Iterable<unknown>, stateOf: () => MetadataState | null) {
    yield* steps;
    const state = stateOf();
    if (state === null) return;
    const { appliedIndex, revision } = state;
    const known = this.#entries.get(appliedIndex);
    const same = known === undefined || known.revision === revision;
    assert(same, `a snapshot at ${appliedIndex} is of the revision that was applied there`);
    this.#lastIndex.set(id, appliedIndex);
    this.#restores.set(id, this.restores(id) + 1);
  }

  /** How often a snapshot took the place of a node's commands while it ran. */
  restores(id: string): number {
    return this.#restores.get(id) ?? 0;
  }

  /** Of the newest change that anybody applied. */
  get revision(): number {
    return this.written.at(-1)?.revision ?? 1;
  }

  #compare(id: string, index: number, entry: AppliedEntry): void {
    const known = this.#entries.get(index);
    if (known === undefined) {
      this.#entries.set(index, entry);
      return;
    }
    const same =
      known.term === entry.term &&
      known.command === entry.command &&
      known.revision === entry.revision;
    assert(same, `${id} applied at ${index} what others did: ${text(entry)}, not ${text(known)}`);
  }

  #read(state: MetadataState): void {
    if (state.revision <= this.revision) return;
    const page = state.readEvents({ ...EVERYTHING, from: this.revision + 1 }, ALL);
    assert(page.kind === 'events', 'what was applied just now is not compacted yet');
    for (const revision of page.revisions) {
      this.written.push(toRevision(revision));
      for (const { kind, kv } of revision.events) {
        const key = bytesToText(kv.key);
        if (kind === 'delete' && !this.deletedAt.has(key)) this.deletedAt.set(key, this.now());
      }
    }
  }
}

function text({ term, command, revision }: AppliedEntry): string {
  return `command ${command.toString(16)} of term ${term} at revision ${revision}`;
}
