import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MetadataUnavailableError } from '../metadata-store.port.js';
import { NO_LEASE } from '../state/index.js';
import { textToBytes } from '../text.js';
import { apiBench } from './etcd-client.fixture.js';
import type { ApiBench } from './etcd-client.fixture.js';

let bench: ApiBench;
beforeAll(async () => {
  bench = await apiBench();
});
afterAll(() => bench.close());

interface Kv {
  key: Buffer;
  value: Buffer;
  version: string;
  create_revision: string;
  mod_revision: string;
  lease: string;
}
interface Header {
  cluster_id: string;
  member_id: string;
  revision: string;
  raft_term: string;
}
interface RangeAnswer {
  header: Header;
  kvs: Kv[];
  more: boolean;
  count: string;
}

const bytes = (text: string): Buffer => Buffer.from(text);
const put = (key: string, value = '', rest: object = {}) =>
  bench.client.call<{ header: Header; prev_kv: Kv | null }>('KV.Put', {
    key: bytes(key),
    value: bytes(value),
    ...rest,
  });
const range = (key: string, rest: object = {}) =>
  bench.client.call<RangeAnswer>('KV.Range', { key: bytes(key), ...rest });
const pairs = ({ kvs }: RangeAnswer): string[] =>
  kvs.map(({ key, value }) => `${key.toString()}=${value.toString()}`);
const revision = (): number => bench.node.head().revision;

/** Expects etcd's code and text. */
async function refusal(call: Promise<unknown>, code: status, text: string): Promise<void> {
  await expect(call).rejects.toMatchObject({ code, details: `etcdserver: ${text}` });
}

describe('Range, Put and DeleteRange', () => {
  it('answer with a whole header, and the key as it was', async () => {
    const first = await put('h', '1');
    expect(first).toEqual({
      header: {
        cluster_id: String(bench.node.head().cluster),
        member_id: String(bench.node.head().member),
        revision: String(revision()),
        raft_term: String(bench.node.head().term),
      },
      prev_kv: null,
    });
    const second = await put('h', '2', { prev_kv: true });
    expect(second.prev_kv).toEqual({
      key: bytes('h'),
      value: bytes('1'),
      version: '1',
      create_revision: first.header.revision,
      mod_revision: first.header.revision,
      lease: '0',
    });
    const { kvs, count, more } = await range('h');
    expect([count, more]).toEqual(['1', false]);
    expect(kvs[0]).toMatchObject({ version: '2', mod_revision: second.header.revision });
  });

  it('read single keys, half-open ranges, and from a key on; empty ranges are empty', async () => {
    for (const key of ['r', 'ra', 'rb', 's']) await put(key, key);
    expect(pairs(await range('ra'))).toEqual(['ra=ra']);
    expect(pairs(await range('ra', { range_end: bytes('s') }))).toEqual(['ra=ra', 'rb=rb']);
    expect(pairs(await range('rb', { range_end: bytes('\0') }))).toEqual(['rb=rb', 's=s']);
    expect(pairs(await range('s', { range_end: bytes('r') }))).toEqual([]);
    expect(pairs(await range('\0', { range_end: bytes('\0') }))).toContain('h=2');
  });

  it('limit, count, sort, bound and strip', async () => {
    const all = { range_end: bytes('y') };
    for (const key of ['x3', 'x1', 'x2']) await put(key, key);
    await put('x1', 'x9');
    const { count, more, kvs } = await range('x', { ...all, limit: 2 });
    expect([count, more, kvs.length]).toEqual(['3', true, 2]);
    const sorted = await range('x', { ...all, sort_order: 2, sort_target: 4 });
    expect(pairs(sorted)).toEqual(['x1=x9', 'x3=x3', 'x2=x2']);
    expect(pairs(await range('x', { ...all, keys_only: true }))).toEqual(['x1=', 'x2=', 'x3=']);
    const counted = await range('x', { ...all, count_only: true });
    expect([counted.count, counted.kvs]).toEqual(['3', []]);
    const recent = await range('x', { ...all, min_mod_revision: revision() });
    expect(pairs(recent)).toEqual(['x1=x9']);
    expect(pairs(await range('x', { ...all, max_create_revision: revision() - 3 }))).toEqual([
      'x3=x3',
    ]);
    expect(pairs(await range('x', { ...all, limit: -1 }))).toHaveLength(3);
  });

  it('read at a revision; one below 1 is the newest', async () => {
    await put('old', '1');
    const at = revision();
    await put('old', '2');
    expect(pairs(await range('old', { revision: at }))).toEqual(['old=1']);
    expect(pairs(await range('old', { revision: -7 }))).toEqual(['old=2']);
    const text = 'mvcc: required revision is a future revision';
    await refusal(range('old', { revision: revision() + 1 }), status.OUT_OF_RANGE, text);
    const beyond = range('old', { revision: '9223372036854775807' });
    await refusal(beyond, status.OUT_OF_RANGE, text);
  });

  it('delete what is there, in a revision only if there is something', async () => {
    await put('d1', 'x');
    await put('d2', 'y');
    const before = revision();
    const request = { key: bytes('d'), range_end: bytes('e'), prev_kv: true };
    const gone = await bench.client.call<{ header: Header; deleted: string; prev_kvs: Kv[] }>(
      'KV.DeleteRange',
      request,
    );
    expect(gone.deleted).toBe('2');
    expect(gone.prev_kvs.map(({ value }) => value.toString())).toEqual(['x', 'y']);
    expect(gone.header.revision).toBe(String(before + 1));
    expect(await bench.client.call('KV.DeleteRange', request)).toMatchObject({
      header: { revision: String(before + 1) },
      deleted: '0',
    });
  });

  it('refuse in the words of etcd', async () => {
    const { INVALID_ARGUMENT, NOT_FOUND } = status;
    await refusal(range(''), INVALID_ARGUMENT, 'key is not provided');
    await refusal(put(''), INVALID_ARGUMENT, 'key is not provided');
    await refusal(
      bench.client.call('KV.DeleteRange', { range_end: bytes('x') }),
      INVALID_ARGUMENT,
      'key is not provided',
    );
    await refusal(put('k', 'v', { ignore_value: true }), INVALID_ARGUMENT, 'value is provided');
    await refusal(
      put('k', '', { ignore_lease: true, lease: 5 }),
      INVALID_ARGUMENT,
      'lease is provided',
    );
    await refusal(put('none', '', { ignore_value: true }), INVALID_ARGUMENT, 'key not found');
    await refusal(put('k', 'v', { lease: 4711 }), NOT_FOUND, 'requested lease not found');
    const large = put('k', 'x'.repeat(1_600_000));
    await refusal(large, INVALID_ARGUMENT, 'request is too large');
    await refusal(range('k', { sort_order: 9 }), INVALID_ARGUMENT, 'invalid sort option');
    await expect(put('k', 'x'.repeat(3_000_000))).rejects.toMatchObject({
      code: status.RESOURCE_EXHAUSTED,
    });
  });
});

describe('Txn', () => {
  const txn = (request: object) =>
    bench.client.call<{ header: Header; succeeded: boolean; responses: unknown[] }>(
      'KV.Txn',
      request,
    );
  const requestPut = (key: string, value = '') => ({
    request_put: { key: bytes(key), value: bytes(value) },
  });

  it('does one branch in one revision, nested ones too, and tells what each did', async () => {
    await put('t', '1');
    const before = revision();
    const { header, succeeded, responses } = await txn({
      compare: [{ target: 3, result: 0, key: bytes('t'), value: bytes('1') }],
      success: [
        requestPut('t', '2'),
        { request_range: { key: bytes('t') } },
        { request_delete_range: { key: bytes('nothing') } },
        {
          request_txn: {
            compare: [{ target: 0, result: 1, key: bytes('t'), version: 1 }],
            success: [requestPut('never')],
            failure: [requestPut('t2', 'x')],
          },
        },
      ],
      failure: [requestPut('never')],
    });
    expect([header.revision, succeeded]).toEqual([String(before + 1), true]);
    expect(responses).toMatchObject([
      { response: 'response_put', response_put: { header: { revision: String(before + 1) } } },
      { response_range: { kvs: [{ value: bytes('2'), version: '2' }], count: '1' } },
      { response_delete_range: { deleted: '0' } },
      {
        response_txn: {
          header: { cluster_id: '0', revision: '0' },
          succeeded: false,
          responses: [{ response: 'response_put' }],
        },
      },
    ]);
    expect(pairs(await range('never'))).toEqual([]);
  });

  it('compares version, create and mod revision, value and lease', async () => {
    const { ID } = await bench.client.call<{ ID: string }>('Lease.LeaseGrant', { TTL: 100 });
    await put('c', 'v');
    await put('c', 'w', { lease: ID });
    const [mod, create] = [revision(), revision() - 1];
    const holds = async (compare: object): Promise<boolean> =>
      (await txn({ compare: [{ key: bytes('c'), ...compare }] })).succeeded;
    const [equal, greater, less, different] = [0, 1, 2, 3];
    expect(await holds({ target: 0, result: equal, version: 2 })).toBe(true);
    expect(await holds({ target: 1, result: less, create_revision: create })).toBe(false);
    expect(await holds({ target: 2, result: greater, mod_revision: mod - 1 })).toBe(true);
    expect(await holds({ target: 3, result: different, value: bytes('v') })).toBe(true);
    expect(await holds({ target: 4, result: equal, lease: ID })).toBe(true);
    expect(await holds({ target: 4, result: equal })).toBe(false);
    const range_end = bytes('c\0');
    expect(await holds({ target: 0, result: equal, version: 2, range_end })).toBe(true);
    const missing = { key: bytes('missing') };
    expect(await holds({ ...missing, target: 0, result: equal, version: 0 })).toBe(true);
    expect(await holds({ ...missing, target: 3, result: different, value: bytes('x') })).toBe(
      false,
    );
  });

  it('refuses in the words of etcd, in the order in which etcd looks', async () => {
    const { INVALID_ARGUMENT } = status;
    const many = Array.from({ length: 129 }, (_, at) => requestPut(`m${at}`));
    const tooMany = 'too many operations in txn request';
    await refusal(txn({ success: many }), INVALID_ARGUMENT, tooMany);
    const nested = { request_txn: { success: many.slice(0, 100) } };
    await refusal(txn({ success: [...many.slice(0, 28), nested] }), INVALID_ARGUMENT, tooMany);
    const twice = [requestPut('a'), requestPut('a')];
    const duplicate = 'duplicate key given in txn request';
    await refusal(txn({ failure: twice }), INVALID_ARGUMENT, duplicate);
    await refusal(txn({ compare: [{}], success: [{}] }), INVALID_ARGUMENT, 'key is not provided');
    await refusal(txn({ success: [{}] }), INVALID_ARGUMENT, 'key not found');
    const compare = [{ key: bytes('a'), result: 7 }];
    await refusal(txn({ compare }), INVALID_ARGUMENT, 'invalid comparison');
    const lease = { request_put: { key: bytes('a'), lease: 12345 } };
    await refusal(txn({ success: [lease] }), status.NOT_FOUND, 'requested lease not found');
    const future = { request_range: { key: bytes('a'), revision: 1_000_000 } };
    const text = 'mvcc: required revision is a future revision';
    await refusal(txn({ success: [future] }), status.OUT_OF_RANGE, text);
  });

  it('takes the deletion of everything from a key on beside a put there, as etcd does', async () => {
    await put('zz');
    const all = { request_delete_range: { key: bytes('z'), range_end: bytes('\0') } };
    const { responses } = await txn({ success: [all, requestPut('z1')] });
    expect(responses).toHaveLength(2);
    expect(pairs(await range('z', { range_end: bytes('\0') }))).toEqual(['z1=']);
  });
});

describe('Compact', () => {
  it('forgets what is older, and refuses twice the same and the future', async () => {
    for (let at = 0; at < 3; at += 1) await put('k', `${at}`);
    const at = revision() - 1;
    const compact = (request: object) =>
      bench.client.call<{ header: Header }>('KV.Compact', request);
    const calls: string[] = [];
    bench.node.before = async (call) => void calls.push(call);
    const { header } = await compact({ revision: at, physical: true });
    expect([header.revision, calls]).toEqual([String(revision()), ['compact', 'defragment']]);
    bench.node.before = () => Promise.resolve();
    expect(pairs(await range('k', { revision: at }))).toEqual(['k=1']);
    const compacted = 'mvcc: required revision has been compacted';
    await refusal(range('k', { revision: at - 1 }), status.OUT_OF_RANGE, compacted);
    await refusal(compact({ revision: at }), status.OUT_OF_RANGE, compacted);
    const future = 'mvcc: required revision is a future revision';
    await refusal(compact({ revision: at + 100 }), status.OUT_OF_RANGE, future);
  });
});

describe('what is asked of the node', () => {
  it('are linearizable reads unless a client says otherwise, and writes of a user', async () => {
    const calls: string[] = [];
    bench.node.before = async (call) => void calls.push(call);
    const read = { request_range: { key: bytes('a'), serializable: true } };
    const write = { request_put: { key: bytes('a') } };
    await range('a');
    await range('a', { serializable: true });
    await put('a');
    await bench.client.call('KV.Txn', { success: [read] });
    await bench.client.call('KV.Txn', { success: [read], failure: [{ request_txn: {} }] });
    await bench.client.call('KV.Txn', { success: [read, { request_range: { key: bytes('a') } }] });
    await bench.client.call('KV.Txn', { success: [read, write] });
    bench.node.before = () => Promise.resolve();
    expect(calls).toEqual([
      'range',
      'serializable range',
      'user txn',
      'serializable txn',
      'serializable txn',
      'user txn',
      'user txn',
    ]);
  });

  it('is told apart when it fails: surely not done, or unknown', async () => {
    const failing = (done: 'no' | 'unknown') => async (): Promise<void> => {
      throw new MetadataUnavailableError('no quorum', done);
    };
    bench.node.before = failing('no');
    await refusal(put('a'), status.UNAVAILABLE, 'no leader');
    bench.node.before = failing('unknown');
    await refusal(put('a'), status.UNAVAILABLE, 'request timed out');
    bench.node.before = async () => {
      throw new Error('a defect');
    };
    await refusal(put('a'), status.INTERNAL, 'internal error');
    expect(bench.log.join()).toContain('a defect');
    bench.node.before = () => Promise.resolve();
  });
});

describe("Pawl's own keys", () => {
  const own = (key: string) => ({ kind: 'put' as const, key: textToBytes(key), value: bytes('') });

  it('are not seen, changed or named by users, nor theirs by us', async () => {
    const lease = await bench.node.grantLease(60_000);
    if (!lease.ok) throw new Error(lease.refusal);
    await bench.node.txn({
      compare: [],
      success: [
        { ...own('pawl/a'), lease: lease.id },
        { ...own('pawl/z'), lease: NO_LEASE },
      ],
      failure: [],
    });
    const everything = { range_end: bytes('\0') };
    await put('pawl/a', 'theirs');
    const seen = pairs(await range('\0', everything));
    expect(seen.filter((pair) => pair.includes('pawl/'))).toEqual(['pawl/a=theirs']);
    expect((await range('pawl/z')).count).toBe('0');
    await bench.client.call('KV.DeleteRange', { key: bytes('\0'), ...everything });
    const left = await bench.node.range({ key: textToBytes('pawl/'), rangeEnd: bytes('pawl0') });
    expect(left).toMatchObject({ count: 2 });
    const attach = put('mine', '', { lease: String(lease.id) });
    await refusal(attach, status.NOT_FOUND, 'requested lease not found');
    await put('mine', 'x');
    const mine = await bench.node.range({ key: textToBytes('mine') });
    expect(mine).toMatchObject({ count: 0 });
  });
});
