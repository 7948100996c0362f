import { FORMAT, LIMITS, utf8Length } from '@pawl/contracts';
import type { Hello, HelloRun } from '@pawl/contracts';
import { shorten } from '../errors.js';
import type { Identity } from './identity.js';

/** A heartbeat names at most this many addresses (its message schema). */
const RUNS = 1_000;
/** Rejection reasons in heartbeats are cut to so many UTF-16 units: the ack has told all of it. */
const REASON_LENGTH = 200;

/** Who sends a heartbeat, and the slot that it was given last. */
type Greeter = Identity & { readonly slot?: number | null | undefined };

/** The longest that can be said of an address, but for the address and the reason themselves. */
const LONGEST_RUN: HelloRun = {
  address: '',
  generation: Number.MAX_SAFE_INTEGER,
  version: Number.MAX_SAFE_INTEGER,
  hash: 'f'.repeat(64),
  highestVersion: Number.MAX_SAFE_INTEGER,
  rejected: {
    generation: Number.MAX_SAFE_INTEGER,
    version: Number.MAX_SAFE_INTEGER,
    reason: '',
  },
};
/** With the comma before it. */
const RUN_BYTES = jsonBytes(LONGEST_RUN) + 1;

/**
 * Whether a heartbeat that names these addresses fits `LIMITS.trafficBytes` whatever comes to run
 * there, and whatever is rejected.
 */
export function fitsHello(identity: Identity, addresses: readonly string[]): boolean {
  if (addresses.length > RUNS) return false;
  let bytes = jsonBytes(makeHello({ ...identity, slot: 999_999 }, [], true));
  // Addresses are ASCII, and nothing in them is escaped.
  for (const address of addresses) bytes += RUN_BYTES + address.length;
  return bytes <= LIMITS.trafficBytes;
}

/**
 * The heartbeat of a consumer, within `LIMITS.trafficBytes` as JSON if its addresses pass
 * {@link fitsHello}: cohorts are left out where there is no room for all of them, since the owner knows
 * slots and labels, rejection reasons are cut to what room there is, in equal parts, and health is told
 * of as many addresses as there is room for then.
 */
export function composeHello(
  identity: Greeter,
  runs: readonly HelloRun[],
  leaving: boolean,
): Hello {
  const bytesOf = (said: readonly HelloRun[]): number => {
    const bare = said.map((run) => withReason(run, () => ''));
    return jsonBytes(makeHello(identity, bare, leaving));
  };
  let said = runs.map(({ health: _, ...run }): HelloRun => run);
  let bytes = bytesOf(said);
  if (bytes > LIMITS.trafficBytes) {
    said = said.map(({ cohort: _, ...run }) => run);
    bytes = bytesOf(said);
  }
  const rejections = said.filter(({ rejected }) => rejected !== undefined).length;
  const room = LIMITS.trafficBytes - bytes;
  const share = Math.max(0, Math.floor(room / Math.max(1, rejections)));
  const cut = (reason: string): string => cutToJson(shorten(reason, REASON_LENGTH), share);
  const told = said.map((run) => withReason(run, cut));
  const reasonBytes = told.reduce((sum, run) => sum + jsonBytes(run.rejected?.reason ?? '') - 2, 0);
  return makeHello(identity, withHealth(told, runs, room - reasonBytes), leaving);
}

/** What says that there is health to be told of an address, with the comma before it. */
const UNTOLD_BYTES = jsonBytes({ health: [] }) - 1;

/**
 * The runs with what `runs` has of their health, as far as there is room: of the longest it is said first
 * that there is some, and not what.
 */
function withHealth(
  said: readonly HelloRun[],
  runs: readonly HelloRun[],
  room: number,
): readonly HelloRun[] {
  const reports = runs
    .flatMap(({ health }, index) => {
      return health === undefined ? [] : [{ index, health, bytes: jsonBytes({ health }) - 1 }];
    })
    .sort((a, b) => a.bytes - b.bytes);
  if (reports.length === 0) return said;
  const told = [...said];
  let left = room - reports.length * UNTOLD_BYTES;
  if (left < 0) return said;
  for (const { index, health, bytes } of reports) {
    left -= bytes - UNTOLD_BYTES;
    told[index] = { ...told[index]!, health: left < 0 ? [] : health };
  }
  return told;
}

function makeHello(identity: Greeter, runs: readonly HelloRun[], leaving: boolean): Hello {
  const { incarnation, build, labels, slot } = identity;
  return {
    format: FORMAT,
    incarnation,
    labels,
    runs,
    ...(build === undefined ? {} : { build }),
    ...(slot === undefined || slot === null ? {} : { slot }),
    ...(leaving ? { leaving: true as const } : {}),
  };
}

function withReason({ rejected, ...run }: HelloRun, change: (reason: string) => string): HelloRun {
  if (rejected === undefined) return run;
  return { ...run, rejected: { ...rejected, reason: change(rejected.reason) } };
}

/** The start of a well-formed text that takes at most so many bytes inside a JSON string. */
function cutToJson(text: string, bytes: number): string {
  let kept = 0;
  let taken = 0;
  for (const character of text) {
    taken += jsonBytes(character) - 2;
    if (taken > bytes) break;
    kept += character.length;
  }
  return text.slice(0, kept);
}

/** Bytes of a value as it is sent. */
function jsonBytes(value: unknown): number {
  return utf8Length(JSON.stringify(value));
}
