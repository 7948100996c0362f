import { ALARM_KINDS } from './alarm-table.js';
import { Decoder, Encoder, pick } from './codec.js';
import { decodeMemberPut, encodeMemberPut } from './member-table.js';
import { decodeTxn, encodeTxn } from './txn-codec.js';
import type { Command, CommandBody, SessionCall } from './types.js';

/**
 * Version of the layout of commands, and of what applying them gives: members that would make
 * something else of a command must not take it. A newer one may be used once an `upgrade` command, itself in
 * this layout for ever, has allowed it; until then every member refuses it, also one that knows it.
 */
export const COMMAND_FORMAT = 5;

/** The order is that of their numbers in records: append only. */
const KINDS = [
  'txn',
  'lease-grant',
  'lease-revoke',
  'lease-expire',
  'lease-checkpoint',
  'compact',
  'session-open',
  'session-close',
  'alarm',
  'upgrade',
  'member-put',
  'member-remove',
  'member-reset',
] as const satisfies readonly Command['kind'][];
const IN_SESSION = 1;
const OF_USER = 2;
const ACTIONS = ['raise', 'clear'] as const;
/** Used over and over: an array that grows under a put of 1 KB costs more than encoding it. */
const OUT = new Encoder(4096);

export function encodeCommand(command: Command): Uint8Array {
  const user = 'origin' in command && command.origin === 'user' ? OF_USER : 0;
  const flags = (command.session === undefined ? 0 : IN_SESSION) | user;
  const out = OUT.reset().u8(COMMAND_FORMAT).u8(KINDS.indexOf(command.kind)).u8(flags);
  if (command.session !== undefined) {
    const { id, sequence, answered } = command.session;
    out.i64(id).u64(sequence).u64(answered);
  }
  encodeBody(out, command);
  return out.done();
}

/**
 * Throws a `RangeError` when the bytes are not exactly one command of this format: every command has
 * one encoding, and no other bytes are accepted for it.
 */
export function decodeCommand(bytes: Uint8Array): Command {
  const from = new Decoder(bytes);
  const format = from.u8();
  if (format !== COMMAND_FORMAT) throw new RangeError(`command format ${format} is not known`);
  const kind = pick(KINDS, from.u8());
  const mayBeOfUser = kind === 'txn' || kind === 'lease-grant';
  const flags = from.flags(IN_SESSION | (mayBeOfUser ? OF_USER : 0));
  const session = (flags & IN_SESSION) === 0 ? null : decodeSession(from);
  const body = decodeBody(kind, from);
  from.end();
  const origin = (flags & OF_USER) === 0 ? {} : { origin: 'user' as const };
  return Object.assign(session === null ? {} : { session }, origin, body);
}

function decodeSession(from: Decoder): SessionCall {
  return { id: from.i64(), sequence: from.u64(), answered: from.u64() };
}

function encodeBody(out: Encoder, command: CommandBody): void {
  switch (command.kind) {
    case 'txn':
      encodeTxn(out, command);
      return;
    case 'lease-grant':
      out.i64(command.id).u64(command.ttlMs);
      return;
    case 'lease-revoke':
    case 'session-close':
      out.i64(command.id);
      return;
    case 'lease-expire':
      out.list(command.ids, (id) => out.i64(id)).u64(command.term);
      return;
    case 'lease-checkpoint':
      out.list(command.leases, ({ id, remainingMs }) => out.i64(id).u64(remainingMs));
      out.u64(command.term);
      return;
    case 'compact':
      out.u64(command.revision);
      return;
    case 'session-open':
      out.i64(command.opener);
      return;
    case 'member-put':
      encodeMemberPut(out, command);
      return;
    case 'member-remove':
      out.text(command.id);
      return;
    case 'member-reset':
      return;
    case 'alarm':
      out.u8(ACTIONS.indexOf(command.action)).i64(command.member);
      out.u8(ALARM_KINDS.indexOf(command.alarm));
      return;
    case 'upgrade':
      out.u32(command.format);
  }
}

function decodeBody(kind: Command['kind'], from: Decoder): CommandBody {
  switch (kind) {
    case 'txn':
      return { kind, ...decodeTxn(from) };
    case 'lease-grant':
      return { kind, id: from.i64(), ttlMs: from.u64() };
    case 'lease-revoke':
    case 'session-close':
      return { kind, id: from.i64() };
    case 'lease-expire':
      return { kind, ids: from.list(() => from.i64()), term: from.u64() };
    case 'lease-checkpoint': {
      const leases = from.list(() => ({ id: from.i64(), remainingMs: from.u64() }));
      return { kind, leases, term: from.u64() };
    }
    case 'compact':
      return { kind, revision: from.u64() };
    case 'session-open':
      return { kind, opener: from.i64() };
    case 'member-put':
      return decodeMemberPut(from);
    case 'member-remove':
      return { kind, id: from.text() };
    case 'member-reset':
      return { kind };
    case 'alarm': {
      const action = pick(ACTIONS, from.u8());
      return { kind, action, member: from.i64(), alarm: pick(ALARM_KINDS, from.u8()) };
    }
    case 'upgrade':
      return { kind, format: from.u32() };
  }
}
