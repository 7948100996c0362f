import { Decoder, Encoder, decodeMember, encodeMember, pick } from '../state/index.js';
import type { LeaseId, MemberRecord } from '../state/index.js';
import type { MemberRefusal } from '../coordination.port.js';
import type { LogOutcome, LogRefusal } from './replicated-log.port.js';

/** A change of the membership that the leader is asked about. */
export type MemberQuestion = 'add' | 'remove' | 'promote';

/** What members of the quorum ask each other; all but `members`, which anybody may ask, is for the leader. */
export type PeerRequest =
  | { readonly kind: 'propose'; readonly commands: readonly Uint8Array[] }
  | { readonly kind: 'renew'; readonly ids: readonly LeaseId[] }
  | { readonly kind: 'lease-time'; readonly id: LeaseId }
  | { readonly kind: 'may-change'; readonly question: MemberQuestion; readonly id: string }
  | ({ readonly kind: 'members' } & ToldMembers);

export type PeerAnswer =
  /** This node does not lead, or not yet. */
  | { readonly kind: 'not-leader' }
  | { readonly kind: 'propose'; readonly outcomes: readonly LogOutcome[] }
  /** The TTL of each in milliseconds; null: it has ended. */
  | { readonly kind: 'renew'; readonly ttls: readonly (number | null)[] }
  | { readonly kind: 'lease-time'; readonly remainingMs: number | null }
  | { readonly kind: 'may-change'; readonly refusal: MemberRefusal | null }
  | ({ readonly kind: 'members' } & ToldMembers);

/** What a node knows of the members; who asks for it tells it as well. */
export interface ToldMembers {
  /** Of the last command that made the records. */
  readonly index: number;
  /** Ids of the newest configuration in its log. */
  readonly inside: readonly string[];
  readonly members: readonly MemberRecord[];
}

/** Raised with every change of what follows; another is refused. */
const FORMAT = 2;
/* The order of these is that of their numbers on the wire. */
const REQUESTS = ['propose', 'renew', 'lease-time', 'may-change', 'members'] as const;
const ANSWERS = ['not-leader', ...REQUESTS] as const;
const QUESTIONS: readonly MemberQuestion[] = ['add', 'remove', 'promote'];
const LOG_REFUSALS: readonly LogRefusal[] = [
  'not-leader',
  'too-much-uncommitted',
  'transferring',
  'change-under-way',
  'invalid-change',
  'not-caught-up',
  'overloaded',
  'too-large',
  'stopped',
];
const MEMBER_REFUSALS: readonly MemberRefusal[] = [
  'member-not-found',
  'member-exists',
  'address-in-use',
  'not-a-learner',
  'not-caught-up',
  'last-voter',
  'too-many-learners',
  'change-under-way',
  'unhealthy',
];

export function encodeRequest(request: PeerRequest): Uint8Array {
  const out = new Encoder().u8(FORMAT).u8(REQUESTS.indexOf(request.kind));
  switch (request.kind) {
    case 'propose':
      out.list(request.commands, (command) => out.bytes(command));
      break;
    case 'renew':
      out.list(request.ids, (id) => out.i64(id));
      break;
    case 'lease-time':
      out.i64(request.id);
      break;
    case 'may-change':
      out.u8(QUESTIONS.indexOf(request.question)).text(request.id);
      break;
    case 'members':
      encodeTold(out, request);
  }
  return out.done();
}

/** Throws a `RangeError` for what {@link encodeRequest} does not write. */
export function decodeRequest(bytes: Uint8Array): PeerRequest {
  const from = begin(bytes);
  const request = decodeRequestBody(from);
  from.end();
  return request;
}

function decodeRequestBody(from: Decoder): PeerRequest {
  const kind = pick(REQUESTS, from.u8());
  switch (kind) {
    case 'propose':
      return { kind, commands: from.list(() => from.bytes()) };
    case 'renew':
      return { kind, ids: from.list(() => from.i64()) };
    case 'lease-time':
      return { kind, id: from.i64() };
    case 'may-change':
      return { kind, question: pick(QUESTIONS, from.u8()), id: from.text() };
    case 'members':
      return { kind, ...decodeTold(from) };
  }
}

export function encodeAnswer(answer: PeerAnswer): Uint8Array {
  const out = new Encoder().u8(FORMAT).u8(ANSWERS.indexOf(answer.kind));
  switch (answer.kind) {
    case 'not-leader':
      break;
    case 'propose':
      out.list(answer.outcomes, (outcome) => {
        if (outcome.ok) out.u8(0).u64(outcome.index).u64(outcome.term);
        else out.u8(1 + LOG_REFUSALS.indexOf(outcome.reason));
      });
      break;
    case 'renew':
      out.list(answer.ttls, (ttlMs) => encodeTime(out, ttlMs));
      break;
    case 'lease-time':
      encodeTime(out, answer.remainingMs);
      break;
    case 'may-change':
      out.u8(answer.refusal === null ? 0 : 1 + MEMBER_REFUSALS.indexOf(answer.refusal));
      break;
    case 'members':
      encodeTold(out, answer);
  }
  return out.done();
}

/** Throws a `RangeError` for what {@link encodeAnswer} does not write. */
export function decodeAnswer(bytes: Uint8Array): PeerAnswer {
  const from = begin(bytes);
  const answer = decodeAnswerBody(from);
  from.end();
  return answer;
}

function decodeAnswerBody(from: Decoder): PeerAnswer {
  const kind = pick(ANSWERS, from.u8());
  switch (kind) {
    case 'not-leader':
      return { kind };
    case 'propose':
      return { kind, outcomes: from.list(() => decodeOutcome(from)) };
    case 'renew':
      return { kind, ttls: from.list(() => decodeTime(from)) };
    case 'lease-time':
      return { kind, remainingMs: decodeTime(from) };
    case 'may-change': {
      const refusal = from.u8();
      return { kind, refusal: refusal === 0 ? null : pick(MEMBER_REFUSALS, refusal - 1) };
    }
    case 'members':
      return { kind, ...decodeTold(from) };
  }
}

function encodeTold(out: Encoder, { index, inside, members }: ToldMembers): void {
  out.u64(index).list(inside, (id) => out.text(id));
  out.list(members, (member) => encodeMember(out, member));
}

function decodeTold(from: Decoder): ToldMembers {
  const index = from.u64();
  const inside = from.list(() => from.text());
  return { index, inside, members: from.list(() => decodeMember(from)) };
}

function decodeOutcome(from: Decoder): LogOutcome {
  const refusal = from.u8();
  if (refusal > 0) return { ok: false, reason: pick(LOG_REFUSALS, refusal - 1) };
  return { ok: true, index: from.u64(), term: from.u64() };
}

/** Whole milliseconds, rounded down. */
function encodeTime(out: Encoder, ms: number | null): void {
  if (ms === null) out.u8(0);
  else out.u8(1).u64(Math.floor(ms));
}

function decodeTime(from: Decoder): number | null {
  return from.flags(1) === 0 ? null : from.u64();
}

function begin(bytes: Uint8Array): Decoder {
  const from = new Decoder(bytes);
  const format = from.u8();
  if (format !== FORMAT) throw new RangeError(`request format ${format} is not known`);
  return from;
}
