import { prefixRange } from '../state/index.js';
import { bytesToText, textToBytes } from '../text.js';

/** Everything of Pawl's own lies below this prefix. */
const ROOT = 'pawl/';
const MEMBERS = `${ROOT}members/`;
const CLAIMS = `${ROOT}claims/`;

/** Members, claims and the epoch. */
export const OWNERSHIP_RANGE = prefixRange(textToBytes(ROOT));
export const EPOCH_KEY = textToBytes(`${ROOT}epoch`);
/** Whose metadata this is: `<name>/<id>` of the installation that PostgreSQL holds. */
export const INSTALLATION_KEY = textToBytes(`${ROOT}installation`);

export function memberKey(nodeId: string): Uint8Array {
  return textToBytes(`${MEMBERS}${nodeId}`);
}

export function claimKey(shard: number): Uint8Array {
  return textToBytes(`${CLAIMS}${shard}`);
}

/** What a node says of itself, under its lease. */
export interface MemberRecord {
  readonly incarnation: string;
  /** Identity of the data folder whose lock the process holds. */
  readonly folder: string;
  readonly address?: string;
  readonly state: MemberState;
  /** Set on a ready one that has been so for long enough to be given shards, by its own clock. */
  readonly settled?: true;
  /** Since when it is in this state, RFC 3339 in UTC by its own clock. */
  readonly since?: string;
  /** The worst that it lacks; PostgreSQL if an unready node does not say. */
  readonly lacks?: Dependency;
  /** What keeps it from being ready, in a few words. */
  readonly problem?: string;
  /** How often it stopped being ready, not counting what is long ago; 0 if left out. */
  readonly lapses?: number;
  /** Shards that it has claimed in vain, ready as it is: the next member should take them for a while. */
  readonly failing?: readonly number[];
}

/** What a node cannot do without: PostgreSQL, NATS. */
export type Dependency = 'truth' | 'distribution';

export type MemberState = 'ready' | 'unready' | 'draining';

/** Whose a shard is, under the owner's lease. */
export interface ClaimRecord {
  readonly node: string;
  readonly incarnation: string;
  /** Metadata epoch when it was claimed; decimal. */
  readonly epoch: string;
  /** When the owner began to serve it, RFC 3339 in UTC; left out until it does. */
  readonly servedAt?: string;
}

export type OwnershipKey =
  | { readonly kind: 'member'; readonly nodeId: string }
  | { readonly kind: 'claim'; readonly shard: number }
  | { readonly kind: 'epoch' }
  | { readonly kind: 'other' };

export function parseKey(key: Uint8Array): OwnershipKey {
  const text = bytesToText(key);
  if (text.startsWith(MEMBERS)) return { kind: 'member', nodeId: text.slice(MEMBERS.length) };
  if (text.startsWith(CLAIMS) && /^\d{1,9}$/.test(text.slice(CLAIMS.length))) {
    return { kind: 'claim', shard: Number(text.slice(CLAIMS.length)) };
  }
  return { kind: text === `${ROOT}epoch` ? 'epoch' : 'other' };
}

export function encodeRecord(record: MemberRecord | ClaimRecord): Uint8Array {
  return textToBytes(JSON.stringify(record));
}

/** Null when somebody wrote something else there. */
export function decodeMember(value: Uint8Array): MemberRecord | null {
  const record = parse(value) as Partial<MemberRecord> | null;
  if (typeof record?.incarnation !== 'string' || typeof record.folder !== 'string') return null;
  const { incarnation, folder, address, since, problem } = record;
  // A node of a version that knew no states is ready.
  const state = isState(record.state) ? record.state : 'ready';
  const lacks = isDependency(record.lacks) ? record.lacks : undefined;
  const lapses = Number.isSafeInteger(record.lapses) ? record.lapses : undefined;
  const failing = Array.isArray(record.failing) ? record.failing.filter(Number.isSafeInteger) : [];
  return {
    incarnation,
    folder,
    state,
    ...(record.settled === true ? { settled: true } : {}),
    ...(lacks === undefined ? {} : { lacks }),
    ...texts({ address, since, problem }),
    ...(lapses === undefined || lapses < 0 ? {} : { lapses }),
    ...(failing.length === 0 ? {} : { failing }),
  };
}

function isState(state: unknown): state is MemberState {
  return state === 'ready' || state === 'unready' || state === 'draining';
}

function isDependency(name: unknown): name is Dependency {
  return name === 'truth' || name === 'distribution';
}

/** Those that are texts. */
function texts<K extends string>(fields: Record<K, unknown>): { [key in K]?: string } {
  const found = Object.entries(fields).filter(([, value]) => typeof value === 'string');
  return Object.fromEntries(found) as { [key in K]?: string };
}

/** Null when somebody wrote something else there. */
export function decodeClaim(value: Uint8Array): ClaimRecord | null {
  const record = parse(value) as Partial<ClaimRecord> | null;
  if (typeof record?.node !== 'string' || typeof record.incarnation !== 'string') return null;
  const { node, incarnation, epoch, servedAt } = record;
  return isEpoch(epoch) ? { node, incarnation, epoch, ...texts({ servedAt }) } : null;
}

/** Epochs are 1 to 32,767, so that a token fits 63 bits. */
export function isEpoch(epoch: unknown): epoch is string {
  return typeof epoch === 'string' && /^[1-9]\d{0,4}$/.test(epoch) && Number(epoch) < 2 ** 15;
}

function parse(value: Uint8Array): object | null {
  try {
    const parsed: unknown = JSON.parse(bytesToText(value));
    return typeof parsed === 'object' ? parsed : null;
  } catch {
    return null;
  }
}
