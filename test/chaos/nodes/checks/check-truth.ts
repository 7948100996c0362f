import { changes, isAcknowledged, type Call } from '../traffic/call.js';
import type { StoredDefinition, StoredTransition, Truth } from '../world/read-truth.js';
import type { Broken } from './promise.js';

/**
 * What was acknowledged is there, what surely failed is not, nothing is there twice, and versions
 * follow each other without a gap.
 */
export function checkTruth(truth: Truth, calls: readonly Call[]): Broken[] {
  return [
    ...checkVersions('definition', truth.definitions),
    ...checkVersions('definition in the history', truth.told),
    ...checkVersions(
      'release',
      truth.transitions.map(({ scope, releaseVersion }) => ({ scope, version: releaseVersion })),
    ),
    ...checkReleases(truth),
    ...checkAcknowledged(truth, calls),
    ...checkAuthors(truth, calls),
  ];
}

/** How many acknowledged writes are not there. */
export function countLost(broken: readonly Broken[]): number {
  return broken.filter(({ promise }) => promise === 'acknowledged writes stay').length;
}

interface Versioned {
  readonly scope: string;
  readonly version: number;
}

/** 1, 2, 3 … of each scope; `list` in the order in which they were written. */
function checkVersions(what: string, list: readonly Versioned[]): Broken[] {
  const last = new Map<string, number>();
  const broken: Broken[] = [];
  for (const { scope, version } of list) {
    const before = last.get(scope) ?? 0;
    if (version !== before + 1) {
      const text = `${what} version ${version} of ${scope} follows ${before}`;
      broken.push({ promise: 'versions without gap', text });
    }
    last.set(scope, version);
  }
  return broken;
}

/** The release of each scope is where its history ends. */
function checkReleases({ releases, transitions }: Truth): Broken[] {
  const last = new Map(transitions.map((one) => [one.scope, one]));
  return releases.flatMap((release): Broken[] => {
    const end = last.get(release.scope);
    const same =
      release.releaseVersion === (end?.releaseVersion ?? 0) &&
      release.stableVersion === (end?.stableVersion ?? null);
    if (same) return [];
    const text = `${JSON.stringify(release)} is not where its history ends: ${JSON.stringify(end)}`;
    return [{ promise: 'one truth', text }];
  });
}

function checkAcknowledged(truth: Truth, calls: readonly Call[]): Broken[] {
  const definitions = new Map(truth.definitions.map((one) => [`${one.scope} ${one.version}`, one]));
  const transitions = new Map(
    truth.transitions.map((one) => [`${one.scope} ${one.releaseVersion}`, one]),
  );
  return calls.filter(isAcknowledged).flatMap((call): Broken[] => {
    const { outcome, scope } = call;
    if (outcome.kind === 'definition') {
      const stored = definitions.get(`${scope} ${outcome.version}`);
      if (stored?.hash === call.hash && stored?.author === call.id) return [];
      return [lost(call, stored)];
    }
    if (outcome.kind !== 'release') return [];
    const stored = transitions.get(`${scope} ${outcome.releaseVersion}`);
    return stored?.stableVersion === outcome.stableVersion ? [] : [lost(call, stored)];
  });
}

function lost(call: Call, stored: StoredDefinition | StoredTransition | undefined): Broken {
  const there = stored === undefined ? 'nothing' : JSON.stringify(stored);
  return {
    promise: 'acknowledged writes stay',
    text: `${JSON.stringify(call)} was acknowledged, and ${there} is there`,
  };
}

/** Every row was asked for by a call that may have been done, and each call made one at most. */
function checkAuthors(truth: Truth, calls: readonly Call[]): Broken[] {
  const byId = new Map(calls.filter(changes).map((call) => [call.id, call]));
  const made = new Set<string>();
  return [...truth.definitions, ...truth.transitions].flatMap((row): Broken[] => {
    const call = byId.get(row.author);
    const says = `${JSON.stringify(row)} was written`;
    if (call === undefined) return [{ promise: 'done once', text: `${says} for nobody` }];
    if (made.has(call.id)) return [{ promise: 'done once', text: `${says} once more` }];
    made.add(call.id);
    if (call.outcome.kind !== 'failed' && call.outcome.kind !== 'refused') return [];
    const text = `${says}, and the caller was told that nothing was: ${JSON.stringify(call)}`;
    return [{ promise: 'done once', text }];
  });
}
