import { endOf, inOrder, inRange, readNaively, text } from './naive-range.fixture.js';
import type { Keys, Kv } from './naive-range.fixture.js';
import type {
  Command,
  CommandBody,
  Compare,
  KeyRange,
  LeaseCheckpoint,
  MemberPut,
  MemberRecord,
  Operation,
  Txn,
} from './types.js';

export { inOrder, inRange, readNaively, text } from './naive-range.fixture.js';
export type { Keys, Kv } from './naive-range.fixture.js';

export interface Event {
  kind: string;
  key: string;
  value: string;
  version: number;
}
interface Session {
  answered: number;
  answers: Map<number, unknown>;
}
interface Chosen {
  succeeded: boolean;
  operations: (Exclude<Operation, { kind: 'txn' }> | Chosen)[];
}

const NEW_MEMBER: Omit<MemberRecord, 'id'> = {
  name: '',
  peerAddress: '',
  clientAddresses: [],
  folderId: '',
  wanted: 'learner',
};
const VERSION_COST = 64;
const LEASE_COST = 128;

/**
 * The store a second time, as dumb as can be: a full copy of all keys per revision and a list of
 * events; compaction only moves a number; sizes are counted anew by going through everything.
 */
export class NaiveStore {
  revision = 1;
  compacted = 0;
  states: Keys[] = [{}, {}];
  events: Event[][] = [[], []];
  leases = new Map<number, { ttl: number; left: number }>();
  alarms = new Set<string>();
  sessions = new Map<number, Session>();
  members = new Map<string, MemberRecord>();

  /** What is left to the transaction under way. */
  left = { steps: 0, answerBytes: 0 };

  constructor(
    readonly quota: { total: number; user: number },
    readonly most = { all: 2048, steps: 48_000, answerBytes: 16 * 1024 * 1024 },
  ) {}

  get now(): Keys {
    return this.states[this.revision] ?? {};
  }

  apply(command: Command, place: { index: number; term: number }): unknown {
    const call = command.session;
    if (call === undefined) return this.run(command, place);
    const session = this.sessions.get(Number(call.id));
    if (session === undefined) return this.refused('session-not-found');
    session.answered = Math.max(session.answered, Math.min(call.answered, call.sequence));
    if (call.sequence < session.answered) return this.refused('answer-forgotten');
    if (!session.answers.has(call.sequence)) {
      session.answers.set(call.sequence, this.run(command, place));
    }
    return session.answers.get(call.sequence);
  }

  run(command: CommandBody, place: { index: number; term: number }): unknown {
    const users =
      ('origin' in command && command.origin === 'user') ||
      (command.kind === 'lease-revoke' && command.id > 0n);
    if (users && this.alarmed('corrupt')) return this.refused('corrupt');
    switch (command.kind) {
      case 'txn':
        return this.txn(command, command.origin === 'user');
      case 'lease-grant':
        return this.grant(
          Number(command.id),
          command.ttlMs,
          command.origin === 'user',
          place.index,
        );
      case 'lease-revoke':
        if (!this.leases.has(Number(command.id))) return this.refused('lease-not-found');
        return this.end([Number(command.id)]);
      case 'lease-expire': {
        const ids = command.ids.map(Number).filter((id) => this.leases.has(id));
        return this.end(command.term === place.term ? ids : []);
      }
      case 'lease-checkpoint':
        if (command.term === place.term) this.checkpoint(command.leases);
        return this.done();
      case 'compact':
        if (command.revision > this.revision) return this.refused('future-revision');
        if (command.revision === 0 && this.compacted === 0) return this.done();
        if (command.revision <= this.compacted) return this.refused('compacted');
        this.compacted = command.revision;
        return this.done();
      case 'session-open':
        this.sessions.set(place.index, { answered: 0, answers: new Map() });
        return { kind: 'session', revision: this.revision, id: place.index };
      case 'session-close':
        if (!this.sessions.delete(Number(command.id))) return this.refused('session-not-found');
        return this.done();
      case 'alarm': {
        const name = `${command.member} ${command.alarm}`;
        if (command.action === 'raise') this.alarms.add(name);
        else this.alarms.delete(name);
        return this.done();
      }
      case 'member-put':
        return this.putMember(command);
      case 'member-remove':
        if (!this.members.delete(command.id)) return this.refused('member-not-found');
        return this.done();
      case 'member-reset':
        this.members.clear();
        return this.done();
      case 'upgrade':
        return this.done();
    }
  }

  putMember({ kind: _, session: __, expect, ...put }: MemberPut & Command): unknown {
    const known = this.members.get(put.id);
    const others = [...this.members.values()].filter(({ id }) => id !== put.id);
    if (put.id === '') return this.refused('member-not-found');
    if (expect === 'new' && known) return this.refused('member-exists');
    if (expect === 'known' && (!known || known.wanted === 'removed')) {
      return this.refused('member-not-found');
    }
    if (put.peerAddress && others.some(({ peerAddress }) => peerAddress === put.peerAddress)) {
      return this.refused('address-in-use');
    }
    if (known?.folderId && put.folderId !== undefined && put.folderId !== known.folderId) {
      return this.refused('other-folder');
    }
    const after = { ...(known ?? NEW_MEMBER), ...put };
    const voters = others.filter(({ wanted }) => wanted === 'voter').length;
    if (known?.wanted === 'voter' && after.wanted !== 'voter' && voters === 0) {
      return this.refused('last-voter');
    }
    this.members.set(put.id, after);
    return this.done();
  }

  alarmed(kind: string): boolean {
    return [...this.alarms].some((name) => name.endsWith(kind));
  }

  grant(wanted: number, ttl: number, user: boolean, index: number): unknown {
    if (this.leases.has(wanted)) return this.refused('lease-exists');
    if (!this.room(LEASE_COST, user)) return this.refused('no-space');
    const step = user ? 1 : -1;
    let id = wanted === 0 ? step * index : wanted;
    while (this.leases.has(id)) id += step;
    this.leases.set(id, { ttl, left: ttl });
    return { kind: 'lease', revision: this.revision, id };
  }

  checkpoint(leases: readonly LeaseCheckpoint[]): void {
    for (const { id, remainingMs } of leases) {
      const lease = this.leases.get(Number(id));
      if (lease === undefined) continue;
      lease.left = remainingMs === 0 ? lease.ttl : Math.min(lease.ttl, remainingMs);
    }
  }

  /** Every version that a reader or a watch at or after the compaction can see. */
  size(): number {
    let size = this.leases.size * LEASE_COST;
    const before = Math.max(1, this.compacted - 1);
    for (const kv of Object.values(this.states[Math.max(1, this.compacted)] ?? {})) {
      if (kv.mod <= before) size += VERSION_COST + kv.key.length + kv.value.length;
    }
    for (const events of this.events.slice(before + 1)) {
      for (const { key, value } of events) size += VERSION_COST + key.length + value.length;
    }
    return size;
  }

  room(cost: number, user: boolean): boolean {
    if (cost === 0) return true;
    const fits = this.size() + cost <= (user ? this.quota.user : this.quota.total);
    if (!fits) this.alarms.add('0 nospace');
    return fits && !(user && this.alarmed('nospace'));
  }

  txn(txn: Txn, user: boolean): unknown {
    if (countAll(txn) > this.most.all) return this.refused('too-many-operations');
    const wrong = wrongWith(txn, 128);
    if (wrong !== null) return this.refused(wrong);
    if (collides(txn.success).bad || collides(txn.failure).bad)
      return this.refused('duplicate-key');
    this.left = { ...this.most };
    const chosen = this.choose(txn);
    if (this.spent) return this.refused('too-large');
    const all = leaves(chosen);
    const puts = all.filter((op) => op.kind === 'put');
    for (const op of puts) {
      const keeps = op.ignoreValue === true || op.ignoreLease === true;
      if (keeps && this.now[text(op.key)] === undefined) return this.refused('key-not-found');
      if (op.lease !== 0n && !this.leases.has(Number(op.lease))) {
        return this.refused('lease-not-found');
      }
    }
    for (const op of all) {
      if (op.kind !== 'range') continue;
      if ((op.revision ?? 0) > this.revision) return this.refused('future-revision');
      if (op.revision !== 0 && (op.revision ?? 0) < this.compacted)
        return this.refused('compacted');
    }
    const cost = puts.reduce((sum, op) => {
      const value = op.ignoreValue === true ? this.now[text(op.key)]?.value : text(op.value);
      return sum + VERSION_COST + op.key.length + (value ?? '').length;
    }, 0);
    if (!this.room(cost, user)) return this.refused('no-space');
    const keys = { ...this.now };
    const events: Event[] = [];
    const results = this.performAll(chosen, keys, events);
    if (this.spent) return this.refused('too-large');
    this.commit(keys, events);
    return { kind: 'txn', revision: this.revision, succeeded: chosen.succeeded, results };
  }

  choose(txn: Txn): Chosen {
    const succeeded = txn.compare.every((item) => this.holds(item));
    const operations = (succeeded ? txn.success : txn.failure).map((op) =>
      op.kind === 'txn' ? this.choose(op) : op,
    );
    return { succeeded, operations };
  }

  get spent(): boolean {
    return this.left.steps < 0 || this.left.answerBytes < 0;
  }

  /** A step for each key of a range that is there or was since the compaction, up to `most` there. */
  look(range: KeyRange, keys: Keys, events: Event[], most = Infinity): void {
    if (range.rangeEnd === undefined) return;
    const changed = [...this.events.slice(this.compacted), events].flat().map(({ key }) => key);
    const known = [...new Set([...Object.keys(keys), ...changed])];
    let there = 0;
    for (const key of known.filter((one) => inRange(one, range)).sort()) {
      if (there >= most) return;
      this.left.steps -= 1;
      if (keys[key] !== undefined) there += 1;
    }
  }

  answer(kvs: readonly Kv[]): void {
    for (const { key, value } of kvs) {
      this.left.answerBytes -= VERSION_COST + key.length + value.length;
    }
  }

  holds(item: Compare): boolean {
    this.look(item, this.now, []);
    const found = inOrder(this.now).filter(({ key }) => inRange(key, item));
    if (found.length === 0 && item.target === 'value') return false;
    const compared = found.length === 0 ? [{ version: 0, create: 0, mod: 0, lease: 0 }] : found;
    return compared.every((kv) => {
      const [is, wanted]: [number | string, number | string] =
        item.target === 'value'
          ? [(kv as Kv).value, text(item.value)]
          : [kv[item.target], Number(item.value)];
      return { '=': is === wanted, '!=': is !== wanted, '<': is < wanted, '>': is > wanted }[
        item.operator
      ];
    });
  }

  performAll(chosen: Chosen, keys: Keys, events: Event[]): unknown[] {
    return chosen.operations.map((op) => {
      if ('operations' in op) {
        const results = this.performAll(op, keys, events);
        return { kind: 'txn', succeeded: op.succeeded, results };
      }
      return this.perform(op, keys, events);
    });
  }

  perform(op: Exclude<Operation, { kind: 'txn' }>, keys: Keys, events: Event[]): unknown {
    const mod = this.revision + 1;
    const at = (): number => (events.length === 0 ? this.revision : mod);
    if (op.kind === 'put') {
      const key = text(op.key);
      const previous = keys[key] ?? null;
      const value = op.ignoreValue === true ? (previous?.value ?? '') : text(op.value);
      const lease = op.ignoreLease === true ? (previous?.lease ?? 0) : Number(op.lease);
      const version = (previous?.version ?? 0) + 1;
      keys[key] = { key, value, create: previous?.create ?? mod, mod, version, lease };
      events.push({ kind: 'put', key, value, version });
      const told = op.prevKv === true ? previous : null;
      if (told !== null) this.answer([told]);
      return { kind: 'put', revision: mod, previous: told };
    }
    if (op.kind === 'delete') {
      const gone = inOrder(keys).filter(({ key }) => inRange(key, op));
      this.look(op, keys, events);
      this.left.steps -= 3 * gone.length;
      for (const { key } of gone) {
        delete keys[key];
        events.push({ kind: 'delete', key, value: '', version: 0 });
      }
      const previous = op.prevKv === true ? gone : [];
      this.answer(previous);
      return { kind: 'delete', revision: at(), deleted: gone.length, previous };
    }
    const state = op.revision === 0 ? keys : (this.states[op.revision ?? 0] ?? {});
    const content = readNaively(state, op);
    if (op.revision !== 0) this.look(op, keys, events);
    else if (op.countOnly !== true) this.look(op, keys, events, content.looked);
    if (op.rangeEnd !== undefined && (op.sortTarget ?? 'key') !== 'key') {
      this.left.steps -= content.sorted * Math.ceil(Math.log2(content.sorted + 1));
    }
    this.answer(content.answer.kvs);
    return { kind: 'range', revision: at(), ...content.answer };
  }

  end(ids: number[]): unknown {
    for (const id of ids) {
      this.leases.delete(id);
      const keys = { ...this.now };
      const events: Event[] = [];
      for (const { key } of inOrder(keys).filter(({ lease }) => lease === id)) {
        delete keys[key];
        events.push({ kind: 'delete', key, value: '', version: 0 });
      }
      this.commit(keys, events);
    }
    return this.done(ids);
  }

  commit(keys: Keys, events: Event[]): void {
    if (events.length === 0) return;
    this.revision += 1;
    this.states.push(keys);
    this.events.push(events);
  }

  done(ids: number[] = []): unknown {
    return { kind: 'done', revision: this.revision, ids };
  }

  refused(refusal: string): unknown {
    return { kind: 'refused', revision: this.revision, refusal };
  }
}

function leaves(chosen: Chosen): Exclude<Operation, { kind: 'txn' }>[] {
  return chosen.operations.flatMap((op) => ('operations' in op ? leaves(op) : [op]));
}

function wrongWith(txn: Txn, most: number): string | null {
  const longest = Math.max(txn.compare.length, txn.success.length, txn.failure.length);
  if (longest > most) return 'too-many-operations';
  if (txn.compare.some(({ key }) => key.length === 0)) return 'empty-key';
  for (const op of [...txn.success, ...txn.failure]) {
    if (op.kind === 'txn') {
      const wrong = wrongWith(op, most - longest);
      if (wrong !== null) return wrong;
      continue;
    }
    if (op.key.length === 0) return 'empty-key';
    if (op.kind !== 'put') continue;
    if (op.ignoreValue === true && op.value.length > 0) return 'value-provided';
    if (op.ignoreLease === true && op.lease !== 0n) return 'lease-provided';
  }
  return null;
}

function countAll({ compare, success, failure }: Txn): number {
  const inside = [...success, ...failure].map((op) => (op.kind === 'txn' ? countAll(op) : 0));
  return inside.reduce(
    (sum, count) => sum + count,
    compare.length + success.length + failure.length,
  );
}

interface Put {
  key: string;
  keeps: boolean;
}

function collides(branch: readonly Operation[]): {
  bad: boolean;
  puts: Put[];
  deletes: KeyRange[];
} {
  const deletes: KeyRange[] = branch.filter((op) => op.kind === 'delete');
  const puts: Put[] = [];
  let bad = false;
  const gone = ({ key, keeps }: Put): boolean =>
    deletes.some((range) => (keeps || endOf(range) !== '\0') && inRange(key, range));
  const add = (put: Put): void => {
    bad ||= puts.some(({ key }) => key === put.key) || gone(put);
    puts.push(put);
  };
  for (const op of branch) {
    if (op.kind !== 'txn') continue;
    const [success, failure] = [collides(op.success), collides(op.failure)];
    bad ||= success.bad || failure.bad;
    const both = [...success.puts, ...failure.puts];
    for (const name of new Set(both.map(({ key }) => key))) {
      add({ key: name, keeps: both.some(({ key, keeps }) => key === name && keeps) });
    }
    deletes.push(...success.deletes, ...failure.deletes);
  }
  for (const op of branch) {
    if (op.kind !== 'put') continue;
    add({ key: text(op.key), keeps: op.ignoreValue === true || op.ignoreLease === true });
  }
  return { bad, puts, deletes };
}

/** A result or event of the real store in the model's words. */
export function plain(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (_, item: unknown) => {
      if (typeof item === 'bigint') return Number(item);
      return item instanceof Uint8Array ? text(item) : item;
    })
      .replaceAll('"createRevision"', '"create"')
      .replaceAll('"modRevision"', '"mod"'),
  );
}
