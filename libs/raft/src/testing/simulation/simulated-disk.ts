import { InvariantError } from '@pawl/kernel';
import type { Rng } from '@pawl/kernel';
import type { DurableState, Entry, HardState, Ready, SnapshotMark } from '../../core/index.js';
import { encodeFrame, scanFrames } from '../../node/wal-frame.js';
import { decodeRecords, encodeRecords } from '../../node/wal-record.js';
import type { WalRecord } from '../../node/wal-record.js';

/** A state machine's state: what was applied, one text per entry, `''` for what is not a command. */
export type State = readonly string[];

/** What a crash left of the write that was under way. */
export type WriteLeft = 'kept' | 'lost' | 'torn';

const SEGMENT = 1;

/**
 * The disk of a simulated node: a log of frames as the real one writes them, byte by byte, and the
 * newest snapshot beside it. What was not synced may be there after a crash, not at all, or torn;
 * bits flip when a test says so. Recovery finds exactly what was synced, or refuses.
 */
export class SimulatedDisk {
  /** What a crash at this moment surely leaves. */
  durable: DurableState;
  snapshotState: State = [];
  #frames: Buffer[];

  constructor(founding: DurableState) {
    this.durable = founding;
    this.#frames = [frameOf(founding, 0)];
  }

  /** Whether it holds this entry, or a snapshot that covers it. */
  holds(index: number, term: number): boolean {
    const { snapshot, entries } = this.durable;
    if (index <= snapshot.index) return true;
    return entries[index - snapshot.index - 1]?.term === term;
  }

  /** One write and one sync of all that a Ready wants durable; `state` comes with its snapshot. */
  write(ready: Ready, state: State | undefined): void {
    const { hardState, entries, snapshot } = ready;
    if (snapshot !== null && state === undefined) throw new Error('a snapshot without state');
    this.#check(ready);
    this.#frames.push(this.#frameOf(ready));
    this.durable = {
      hardState: hardState ?? this.durable.hardState,
      snapshot: snapshot ?? this.durable.snapshot,
      entries: joined(snapshot === null ? this.durable.entries : [], entries),
    };
    if (state !== undefined) this.snapshotState = state;
  }

  /** The write of a Ready is interrupted by a crash. */
  interrupt(ready: Ready, state: State | undefined, rng: Rng): WriteLeft {
    const left = (['kept', 'lost', 'torn'] as const)[rng.below(3)] ?? 'lost';
    if (left === 'kept') this.write(ready, state);
    if (left !== 'torn') return left;
    const frame = this.#frameOf(ready);
    const torn = frame.subarray(0, 1 + rng.below(frame.length - 1));
    // The file may have grown before its bytes were written.
    const blank = Buffer.alloc(rng.below(2) * (frame.length - torn.length));
    this.#frames.push(torn, blank);
    return left;
  }

  /** A durable snapshot of everything up to its mark; the log behind it is let go. */
  compact(mark: SnapshotMark, state: State): void {
    const { hardState, entries } = this.durable;
    const left = entries.filter((entry) => entry.index > mark.index);
    this.durable = { hardState, snapshot: mark, entries: left };
    this.snapshotState = state;
    this.#frames = [frameOf(this.durable, 0)];
  }

  flipBit(rng: Rng): void {
    const bytes = Buffer.concat(this.#frames);
    const at = rng.below(bytes.length);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << rng.below(8));
    this.#frames = [bytes];
  }

  /** As a start does: answers `null` when what was durable is damaged. */
  recover(): DurableState | null {
    const bytes = Buffer.concat(this.#frames);
    const { frames, end, damage } = scanFrames(bytes, SEGMENT, 0);
    if (damage !== null && !damage.torn) return null;
    this.#frames = [bytes.subarray(0, end)];
    const found = replay(
      frames.flatMap(({ payload }) => decodeRecords(payload)),
      this.durable.snapshot,
    );
    if (print(found) !== print(this.durable)) {
      throw new InvariantError(`S2 recovery found ${print(found)}, not ${print(this.durable)}`);
    }
    return this.durable;
  }

  /** As the real log does: no gap, and nothing that is known to be committed is written again. */
  #check({ entries, snapshot }: Ready): void {
    const { durable } = this;
    const last = durable.entries.at(-1)?.index ?? durable.snapshot.index;
    const next = (snapshot?.index ?? last) + 1;
    const first = entries[0]?.index ?? next;
    if (first === next || (first < next && first > durable.hardState.commit)) return;
    throw new InvariantError(
      `S3 entries from ${first} on are written behind ${next - 1}, of which ${durable.hardState.commit} are committed`,
    );
  }

  #frameOf({ hardState, entries, snapshot }: Ready): Buffer {
    const end = this.#frames.reduce((sum, frame) => sum + frame.length, 0);
    return frameOf({ hardState, entries, snapshot }, end);
  }
}

interface Written {
  readonly hardState: HardState | null;
  readonly entries: readonly Entry[];
  readonly snapshot: SnapshotMark | null;
}

function frameOf({ hardState, entries, snapshot }: Written, offset: number): Buffer {
  const records: WalRecord[] = [];
  if (hardState !== null) records.push({ kind: 'hard-state', hardState });
  if (snapshot !== null) records.push({ kind: 'snapshot', mark: snapshot });
  for (const entry of entries) records.push({ kind: 'entry', entry });
  return encodeFrame(encodeRecords(records), { segment: SEGMENT, offset }, offset);
}

/** `snapshot` is the newest, which the log has noted too. */
function replay(records: readonly WalRecord[], snapshot: SnapshotMark): DurableState {
  let hardState: HardState = { term: 0, vote: null, commit: 0 };
  let entries: Entry[] = [];
  for (const record of records) {
    if (record.kind === 'hard-state') hardState = record.hardState;
    else if (record.kind === 'entry') entries = joined(entries, [record.entry]);
    else if (record.kind === 'snapshot') entries = [];
  }
  return { hardState, snapshot, entries };
}

/** The first of `more` replaces what `entries` hold from its index on. */
function joined(entries: readonly Entry[], more: readonly Entry[]): Entry[] {
  const first = more[0]?.index ?? Infinity;
  const end = entries.at(-1)?.index ?? -Infinity;
  return [...(end < first ? entries : entries.filter(({ index }) => index < first)), ...more];
}

function print({ hardState, snapshot, entries }: DurableState): string {
  const { term, vote, commit } = hardState;
  const log = entries.map((entry) => `${entry.index}/${entry.term}:${entry.data.length}`).join(' ');
  return `${term} ${vote} ${commit} ${snapshot.index}/${snapshot.term} ${log}`;
}
