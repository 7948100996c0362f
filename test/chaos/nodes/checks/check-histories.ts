import {
  checkKvHistory,
  type HistoryAnswer,
  type HistoryCall,
  type HistoryKv,
  type HistoryOutcome,
  type HistoryRequest,
  type HistoryRevision,
} from '@pawl/metadata/testing/history';
import type { Call } from '../traffic/call.js';
import type { StoredDefinition, StoredTransition, Truth } from '../world/read-truth.js';
import type { Broken } from './promise.js';

/**
 * Definitions and releases of each scope are linearizable registers. Their versions number the
 * states, so each is judged as the history of a store with one key whose revision is the version
 * plus one. Two registers, each linearizable, are so together (Herlihy and Wing, locality).
 */
export function checkHistories(truth: Truth, calls: readonly Call[]): Broken[] {
  const scopes = new Set(truth.definitions.map(({ scope }) => scope));
  const broken: Broken[] = [];
  for (const scope of scopes) {
    const own = calls.filter((call) => call.scope === scope);
    const definitions = truth.definitions.filter((one) => one.scope === scope);
    const transitions = truth.transitions.filter((one) => one.scope === scope);
    const histories = [
      { what: 'definitions', ...definitionHistory(own, definitions) },
      { what: 'release', ...releaseHistory(own, transitions) },
    ];
    for (const { what, calls: of, written } of histories) {
      for (const { rule, text } of checkKvHistory({ calls: of, written }).violations) {
        broken.push({ promise: 'linearizable', text: `${what} of ${scope}, ${rule}: ${text}` });
      }
    }
    broken.push(...checkNewest(own));
  }
  return broken;
}

/** A promotion of the newest definition takes none older than one acknowledged before. */
function checkNewest(calls: readonly Call[]): Broken[] {
  const written = calls.flatMap(({ outcome, returnedAt }) =>
    outcome.kind === 'definition' ? [{ version: outcome.version, at: returnedAt }] : [],
  );
  return calls.flatMap((call): Broken[] => {
    const { request, outcome, calledAt } = call;
    if (request.kind !== 'promote' || request.target !== null || outcome.kind !== 'release') {
      return [];
    }
    const seen = written.filter(({ at }) => at < calledAt).map(({ version }) => version);
    const newest = Math.max(0, ...seen);
    if ((outcome.stableVersion ?? 0) >= newest) return [];
    const text = `${JSON.stringify(call)}, though version ${newest} had been acknowledged`;
    return [{ promise: 'linearizable', text }];
  });
}

interface Register {
  readonly calls: readonly HistoryCall[];
  readonly written: readonly HistoryRevision[];
}

const KEY = 'k';
const revisionOf = (version: number): number => version + 1;
const PUT: HistoryAnswer = { kind: 'put' };

function definitionHistory(calls: readonly Call[], stored: readonly StoredDefinition[]): Register {
  const placed = calls.flatMap((call, at): HistoryCall[] => {
    const { request, outcome } = call;
    if (request.kind === 'get-config') {
      if (outcome.kind !== 'definition') return [];
      const value = `${outcome.author} ${outcome.hash}`;
      return [recorded(call, at, READ, readAnswer(outcome.version, value))];
    }
    if (request.kind !== 'put') return [];
    const put = { kind: 'put', key: KEY, value: `${call.id} ${call.hash ?? ''}` } as const;
    if (request.expected === null) return [recorded(call, at, put, writeOutcome(call, null))];
    return [recorded(call, at, when(request.expected, put), writeOutcome(call, request.expected))];
  });
  const written = stored.map(({ version, author, hash }) => revision(version, `${author} ${hash}`));
  return { calls: placed, written };
}

function releaseHistory(calls: readonly Call[], stored: readonly StoredTransition[]): Register {
  const byAuthor = new Map(stored.map((one) => [one.author, one]));
  const placed = calls.flatMap((call, at): HistoryCall[] => {
    const { request, outcome } = call;
    if (
      request.kind !== 'promote' &&
      request.kind !== 'rollback' &&
      request.kind !== 'get-release'
    ) {
      return [];
    }
    const made = byAuthor.get(call.id);
    const isChange = request.kind !== 'get-release' && made !== undefined;
    if (!isChange) return unchanged(call, at);
    const stable = outcome.kind === 'release' ? outcome.stableVersion : made.stableVersion;
    const put = { kind: 'put', key: KEY, value: `idle ${stable}` } as const;
    const { expected } = request;
    const asked = expected === null ? put : when(expected, put);
    return [recorded(call, at, asked, writeOutcome(call, expected))];
  });
  const written = stored.map((one) => revision(one.releaseVersion, `idle ${one.stableVersion}`));
  return { calls: placed, written };
}

/** A call that changed nothing saw what was there, where it says what that was. */
function unchanged(call: Call, at: number): HistoryCall[] {
  const { outcome, request } = call;
  if (outcome.kind === 'release') {
    const value = `${outcome.state} ${outcome.stableVersion}`;
    return [recorded(call, at, READ, readAnswer(outcome.releaseVersion, value))];
  }
  const isMismatch =
    outcome.kind === 'refused' && outcome.current !== null && 'expected' in request;
  if (!isMismatch || request.expected === null) return [];
  const never = when(request.expected, { kind: 'put', key: KEY, value: `never ${call.id}` });
  return [recorded(call, at, never, writeOutcome(call, request.expected))];
}

const READ: HistoryRequest = { kind: 'range', key: KEY };

function when(version: number, put: { kind: 'put'; key: string; value: string }): HistoryRequest {
  const compare = { key: KEY, target: 'version', operator: '=', value: version } as const;
  return { kind: 'txn', compare: [compare], success: [put], failure: [] };
}

/** What a change was told, as an answer of the store; `expected`: it was conditional. */
function writeOutcome({ outcome }: Call, expected: number | null): HistoryOutcome {
  switch (outcome.kind) {
    case 'definition':
    case 'release': {
      const version = outcome.kind === 'definition' ? outcome.version : outcome.releaseVersion;
      const answer: HistoryAnswer =
        expected === null ? PUT : { kind: 'txn', succeeded: true, results: [PUT] };
      return { kind: 'ok', revision: revisionOf(version), answer };
    }
    case 'refused': {
      if (expected === null || outcome.current === null) return { kind: 'failed' };
      const answer: HistoryAnswer = { kind: 'txn', succeeded: false, results: [] };
      return { kind: 'ok', revision: revisionOf(outcome.current), answer };
    }
    case 'failed':
    case 'unknown':
      return { kind: outcome.kind };
  }
}

function readAnswer(version: number, value: string): HistoryOutcome {
  const kvs = version === 0 ? [] : [kv(version, value)];
  const answer: HistoryAnswer = { kind: 'range', kvs, count: kvs.length, more: false };
  return { kind: 'ok', revision: revisionOf(version), answer };
}

function revision(version: number, value: string): HistoryRevision {
  const event = { kind: 'put', kv: kv(version, value) } as const;
  return { revision: revisionOf(version), events: [event] };
}

function kv(version: number, value: string): HistoryKv {
  const modRevision = revisionOf(version);
  return { key: KEY, value, createRevision: revisionOf(1), modRevision, version, lease: '0' };
}

function recorded(
  call: Call,
  id: number,
  request: HistoryRequest,
  outcome: HistoryOutcome,
): HistoryCall {
  const { writer: client, calledAt, returnedAt } = call;
  return { id, client, request, calledAt, returnedAt, outcome };
}
