import { once } from 'node:events';
import type { IncomingHttpHeaders } from 'node:http2';
import { afterEach, describe, expect, it } from 'vitest';
import { apiBench } from './etcd-client.fixture.js';
import type { ApiBench } from './etcd-client.fixture.js';
import type { EtcdLimits } from './limits.js';
import { RawClient } from './raw-client.fixture.js';

const key = Buffer.from('k');
const all = { key: Buffer.from([0]), range_end: Buffer.from([0]) };
const MiB = 1024 * 1024;

let bench: ApiBench;
const clients: RawClient[] = [];

/** With so many values of 100 kB. */
async function open(values: number, limits: Partial<EtcdLimits>): Promise<void> {
  bench = await apiBench({ limits });
  for (let i = 0; i < values; i += 1) {
    await bench.client.call('KV.Put', { key: Buffer.from(`k${i}`), value: Buffer.alloc(100_000) });
  }
}

function client(): RawClient {
  const raw = new RawClient(bench.server.address.port, 1000);
  clients.push(raw);
  return raw;
}

afterEach(async () => {
  for (const raw of clients.splice(0)) await raw.close();
  await bench.close();
});

describe('answers that nobody takes', () => {
  it('are refused from a bound on, and small ones are not', async () => {
    await open(4, { answersBytes: 2 * MiB });
    const idle = client();
    /* 400 kB each: five of them fit. */
    const calls = Array.from({ length: 40 }, () => idle.ask('KV.Range', all));
    const refused = calls.map(async (call) => {
      call.pause();
      const [headers] = (await once(call, 'response')) as [IncomingHttpHeaders];
      return headers['grpc-status'];
    });
    const said = await Promise.all(refused);
    expect(said.filter((code) => code === undefined)).toHaveLength(5);
    expect(said.filter((code) => code === '8')).toHaveLength(35);

    const whole = bench.client.call('KV.Range', all);
    await expect(whole).rejects.toMatchObject({
      code: 8,
      details: 'etcdserver: too many requests',
    });
    await bench.client.call('KV.Put', { key, value: key });
    await bench.client.call('KV.Range', { key });

    /* One that was taken makes room, and so do those of a connection that is gone. */
    const first = calls[said.indexOf(undefined)]!;
    first.resume();
    expect((await idle.answer(first)).code).toBe(0);
    expect(await bench.client.call('KV.Range', all)).toMatchObject({ count: '5' });
    await clients.shift()!.close();
    const again = Array.from({ length: 5 }, () => bench.client.call('KV.Range', all));
    await Promise.all(again);
  });

  it('tell a write that was done as such', async () => {
    await open(4, { answersBytes: MiB / 2 });
    const held = client().ask('KV.Range', all);
    held.pause();
    await once(held, 'response');
    const emptied = bench.client.call('KV.DeleteRange', { ...all, prev_kv: true });
    await expect(emptied).rejects.toMatchObject({
      code: 8,
      details:
        'etcdserver: the request was done, but not answered: too many answers wait to be taken',
    });
    expect(await bench.client.call('KV.Range', all)).toMatchObject({ count: '0' });
  });
});

describe('one answer', () => {
  const range = { request_range: all };

  it('is bounded, and says how to ask for less', async () => {
    await open(12, { answerBytes: MiB });
    const tooLarge = {
      code: 8,
      details:
        'etcdserver: its answer is larger than 1 MiB: ask for less with limit, keys_only or count_only',
    };
    await expect(bench.client.call('KV.Range', all)).rejects.toMatchObject(tooLarge);
    await expect(bench.client.call('KV.Txn', { success: [range] })).rejects.toMatchObject(tooLarge);
    const nested = { request_txn: { success: [range] } };
    const deep = bench.client.call('KV.Txn', { success: [nested] });
    await expect(deep).rejects.toMatchObject(tooLarge);
    expect(await bench.client.call('KV.Range', { ...all, limit: 10 })).toMatchObject({
      more: true,
    });
    const keys = await bench.client.call<{ kvs: object[] }>('KV.Range', {
      ...all,
      keys_only: true,
    });
    expect(keys.kvs).toHaveLength(12);
  });

  it('that is too large is not held against what was written', async () => {
    await open(12, { answerBytes: MiB });
    const done = {
      code: 8,
      details:
        'etcdserver: the request was done, but not answered: its answer is larger than 1 MiB',
    };
    const put = { request_put: { key, value: key } };
    await expect(bench.client.call('KV.Txn', { success: [put, range] })).rejects.toMatchObject(
      done,
    );
    expect(await bench.client.call('KV.Range', { key })).toMatchObject({ count: '1' });
    const emptied = bench.client.call('KV.DeleteRange', { ...all, prev_kv: true });
    await expect(emptied).rejects.toMatchObject(done);
    expect(await bench.client.call('KV.Range', all)).toMatchObject({ count: '0' });
  });

  it('is bounded by its keys too, which take time to encode', async () => {
    await open(0, { answerBytes: MiB / 16 });
    for (let i = 0; i < 3; i += 1) {
      const success = Array.from({ length: 100 }, (_, n) => ({
        request_put: { key: Buffer.from(`k${i}-${n}`), value: key },
      }));
      await bench.client.call('KV.Txn', { success });
    }
    const keys = { ...all, keys_only: true };
    await expect(bench.client.call('KV.Range', keys)).rejects.toMatchObject({ code: 8 });
    expect(await bench.client.call('KV.Range', { ...keys, limit: 200 })).toMatchObject({
      count: '300',
    });
  });
});
