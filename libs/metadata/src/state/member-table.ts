import type { Decoder, Encoder } from './codec.js';
import { pick } from './codec.js';
import type { MemberPut, MemberRecord, MemberWish, Refusal } from './types.js';

/** The order is that of their numbers in records: append only. */
const WISHES: readonly MemberWish[] = ['voter', 'learner', 'removed'];
const EXPECTATIONS: readonly MemberPut['expect'][] = ['new', 'known'];
/** A quorum has few members; they travel whole with every snapshot. */
const MOST_MEMBERS = 64;
const MOST_CLIENT_ADDRESSES = 16;
const LONGEST_TEXT = 256;

/** What of a record a command gives: a bit each. */
const GIVES = { name: 1, peerAddress: 2, clientAddresses: 4, folderId: 8, wanted: 16 } as const;
const ALL_FIELDS = 31;

/** Members of the quorum: addresses and wishes. Who really votes is in the log's configuration. */
export class MemberTable {
  readonly #members = new Map<string, MemberRecord>();

  /** By id. */
  list(): MemberRecord[] {
    return [...this.#members.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  find(id: string): MemberRecord | null {
    return this.#members.get(id) ?? null;
  }

  /** Why a command cannot be done; null when it can. */
  check(put: MemberPut): Refusal | null {
    const known = this.#members.get(put.id);
    if (put.expect === 'new') {
      if (known !== undefined) return 'member-exists';
      if (this.#members.size >= MOST_MEMBERS) return 'too-many-members';
    } else if (known === undefined || known.wanted === 'removed') {
      return 'member-not-found';
    }
    for (const { id, peerAddress } of this.#members.values()) {
      if (id !== put.id && peerAddress !== '' && peerAddress === put.peerAddress) {
        return 'address-in-use';
      }
    }
    const folder = known?.folderId ?? '';
    if (folder !== '' && put.folderId !== undefined && put.folderId !== folder) {
      return 'other-folder';
    }
    const leaves = known?.wanted === 'voter' && (put.wanted ?? 'voter') !== 'voter';
    return leaves && !this.#hasOtherVoter(put.id) ? 'last-voter' : null;
  }

  put({ id, ...given }: MemberPut): void {
    const known = this.#members.get(id);
    this.restore({
      id,
      name: given.name ?? known?.name ?? '',
      peerAddress: given.peerAddress ?? known?.peerAddress ?? '',
      clientAddresses: given.clientAddresses ?? known?.clientAddresses ?? [],
      folderId: given.folderId ?? known?.folderId ?? '',
      wanted: given.wanted ?? known?.wanted ?? 'learner',
    });
  }

  remove(id: string): void {
    this.#members.delete(id);
  }

  restore(member: MemberRecord): void {
    this.#members.set(member.id, member);
  }

  #hasOtherVoter(id: string): boolean {
    for (const member of this.#members.values()) {
      if (member.id !== id && member.wanted === 'voter') return true;
    }
    return false;
  }
}

/** What is wrong with a record whatever the table is; null when nothing is. */
export function checkMember(put: MemberPut): Refusal | null {
  const { id, name = '', peerAddress = '', clientAddresses = [], folderId = '' } = put;
  if (id === '') return 'member-not-found';
  const texts = [id, name, peerAddress, folderId, ...clientAddresses];
  const fits = texts.every(({ length }) => length <= LONGEST_TEXT);
  return fits && clientAddresses.length <= MOST_CLIENT_ADDRESSES ? null : 'too-large';
}

export function encodeMemberPut(out: Encoder, put: MemberPut): void {
  const { id, expect, name, peerAddress, clientAddresses, folderId, wanted } = put;
  out.text(id).u8(EXPECTATIONS.indexOf(expect));
  out.u8(
    (name === undefined ? 0 : GIVES.name) |
      (peerAddress === undefined ? 0 : GIVES.peerAddress) |
      (clientAddresses === undefined ? 0 : GIVES.clientAddresses) |
      (folderId === undefined ? 0 : GIVES.folderId) |
      (wanted === undefined ? 0 : GIVES.wanted),
  );
  if (name !== undefined) out.text(name);
  if (peerAddress !== undefined) out.text(peerAddress);
  if (clientAddresses !== undefined) out.list(clientAddresses, (address) => out.text(address));
  if (folderId !== undefined) out.text(folderId);
  if (wanted !== undefined) out.u8(WISHES.indexOf(wanted));
}

export function decodeMemberPut(from: Decoder): MemberPut {
  const [id, expect] = [from.text(), pick(EXPECTATIONS, from.u8())];
  const gives = from.flags(ALL_FIELDS);
  const has = (field: number): boolean => (gives & field) !== 0;
  return {
    kind: 'member-put',
    id,
    expect,
    ...(has(GIVES.name) ? { name: from.text() } : {}),
    ...(has(GIVES.peerAddress) ? { peerAddress: from.text() } : {}),
    ...(has(GIVES.clientAddresses) ? { clientAddresses: from.list(() => from.text()) } : {}),
    ...(has(GIVES.folderId) ? { folderId: from.text() } : {}),
    ...(has(GIVES.wanted) ? { wanted: pick(WISHES, from.u8()) } : {}),
  };
}

/** As a snapshot holds it. */
export function encodeMember(out: Encoder, member: MemberRecord): void {
  const { id, name, peerAddress, clientAddresses, folderId, wanted } = member;
  out.text(id).text(name).text(peerAddress);
  out.list(clientAddresses, (address) => out.text(address));
  out.text(folderId).u8(WISHES.indexOf(wanted));
}

export function decodeMember(from: Decoder): MemberRecord {
  return {
    id: from.text(),
    name: from.text(),
    peerAddress: from.text(),
    clientAddresses: from.list(() => from.text()),
    folderId: from.text(),
    wanted: pick(WISHES, from.u8()),
  };
}
