import { isDeepStrictEqual } from 'node:util';
import { execute } from './history-model.js';
import type { Execution, HistoryModel } from './history-model.js';
import type { HistoryCall, HistoryOperation, HistoryOutcome, Violation } from './history.js';

/**
 * Where a call took effect in the one order of all: a write that made revision R at 2R, a read of
 * the state that R left, or a request that changed nothing then, at 2R + 1.
 */
export interface PlacedCall {
  readonly call: HistoryCall;
  readonly position: number;
  /** The revision that it made. */
  readonly wrote: number | null;
}

export const positionOfWrite = (revision: number) => 2 * revision;
export const positionOfRead = (revision: number) => 2 * revision + 1;

type Answered = Extract<HistoryOutcome, { kind: 'ok' }>;
type Placing = PlacedCall | Violation;

/** Finds the place of an answered call by its revision; a violation when its answer fits nowhere. */
export function placeCall(model: HistoryModel, call: HistoryCall, outcome: Answered): Placing {
  const { request } = call;
  const { revision } = outcome;
  if (revision > model.last) {
    return broken('A1', call, `its revision ${revision} is beyond the last one, ${model.last}`);
  }
  switch (request.kind) {
    case 'compact':
      return read(call, revision);
    case 'lease-revoke':
      return placeRevoke(model, call, request.lease, revision);
    case 'range':
      return placeRange(model, call, outcome);
    case 'put':
    case 'delete':
    case 'txn':
      return placeMutation(model, call, request, outcome);
  }
}

function placeRange(model: HistoryModel, call: HistoryCall, outcome: Answered): Placing {
  const { request } = call;
  if (request.kind !== 'range') return broken('A1', call, 'not a range');
  const asked = request.revision ?? 0;
  if (asked > outcome.revision) {
    return broken('A1', call, `answered for revision ${asked} at revision ${outcome.revision}`);
  }
  const at = asked === 0 ? outcome.revision : asked;
  const { answer } = execute(request, model.stateAt(at), at);
  if (isDeepStrictEqual(answer, outcome.answer)) return read(call, outcome.revision);
  return broken('A1', call, `not what revision ${at} held: ${shown(answer)}`);
}

/** Either it wrote its revision, or it changed nothing while that was the newest. */
function placeMutation(
  model: HistoryModel,
  call: HistoryCall,
  operation: HistoryOperation,
  { revision, answer }: Answered,
): Placing {
  const asWrite = execute(operation, model.stateAt(revision - 1), revision);
  if (asWrite.events.length > 0 && isDeepStrictEqual(asWrite.answer, answer)) {
    if (isMadeBy(model, revision, asWrite)) return write(call, revision);
    return broken(
      'A1',
      call,
      `revision ${revision} changed other things than it: ${shown(model.eventsOf(revision))}`,
    );
  }
  const asRead = execute(operation, model.stateAt(revision), revision);
  if (asRead.events.length === 0 && isDeepStrictEqual(asRead.answer, answer)) {
    return read(call, revision);
  }
  const expected = asWrite.events.length > 0 ? asWrite.answer : asRead.answer;
  return broken('A1', call, `at its revision the answer is ${shown(expected)}`);
}

function placeRevoke(
  model: HistoryModel,
  call: HistoryCall,
  lease: string,
  revision: number,
): Placing {
  const left = model.keysOfLease(lease, revision);
  if (left.length > 0) return broken('L3', call, `the lease keeps ${left.join(', ')}`);
  return isEndOfLease(model, lease, revision) ? write(call, revision) : read(call, revision);
}

export function isMadeBy(model: HistoryModel, revision: number, { events }: Execution): boolean {
  return isDeepStrictEqual(events, model.eventsOf(revision));
}

/** Whether the revision deleted all keys that the lease had, and nothing else. */
export function isEndOfLease(model: HistoryModel, lease: string, revision: number): boolean {
  const events = model.eventsOf(revision);
  const gone = events.filter(({ kind }) => kind === 'delete').map(({ kv }) => kv.key);
  const had = model.keysOfLease(lease, revision - 1);
  return had.length > 0 && gone.length === events.length && isDeepStrictEqual(gone.sort(), had);
}

function write(call: HistoryCall, revision: number): PlacedCall {
  return { call, position: positionOfWrite(revision), wrote: revision };
}

function read(call: HistoryCall, revision: number): PlacedCall {
  return { call, position: positionOfRead(revision), wrote: null };
}

function broken(rule: Violation['rule'], call: HistoryCall, why: string): Violation {
  return { rule, text: `${describe(call)}: ${why}` };
}

export function describe({ id, client, request, outcome }: HistoryCall): string {
  return `call ${id} of ${client} ${shown(request)} -> ${shown(outcome)}`;
}

function shown(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length > 400 ? `${text.slice(0, 400)}…` : text;
}
