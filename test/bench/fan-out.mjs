import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectNats } from '@nats-io/transport-node';
import { median, printTable } from './lib/report.mjs';
import { call, promote, startChild } from './lib/stack.mjs';

const PASSES = 9;
/** Rounds before the first that counts: a process that has run for a while has compiled its code. */
const WARM_UP = 3;
const COUNTS = [100, 1000];
const now = () => performance.timeOrigin + performance.now();

/**
 * From publication until the last consumer has applied, beside a bare publish of as many bytes: with
 * a cache folder each consumer has its last-known-good file on disk before it applies.
 */
export async function benchFanOut(stack) {
  const rows = [];
  for (const count of COUNTS) {
    rows.push(...(await benchCount(stack, { count, kept: 'nothing kept' })));
    const cacheDir = await mkdtemp(join(tmpdir(), 'pawl-bench-cache-'));
    try {
      rows.push(...(await benchCount(stack, { count, kept: 'a file per consumer', cacheDir })));
    } finally {
      await rm(cacheDir, { recursive: true, force: true });
    }
  }
  printTable(
    `A snapshot of about 1 KB until the last consumer applied it, median of ${PASSES} passes by turns`,
    ['consumers', 'last known good', 'what', 'last ms', 'ratio to bare'],
    rows,
  );
}

async function benchCount(stack, { count, kept, cacheDir }) {
  const address = `fleet${count}-${cacheDir === undefined ? 'memory' : 'disk'}/app`;
  await call(stack.url, 'PUT', `/v1/config/${address}`, documentOf(0));
  await promote(stack.url, address);
  const fleet = startChild('fleet.mjs', [
    ...[stack.natsUrl, address, String(count)],
    ...(cacheDir === undefined ? [] : [cacheDir]),
  ]);
  const publisher = await connectNats({ servers: stack.natsUrl });
  try {
    await fleet.receive();
    const pawl = [];
    const fromPut = [];
    const bare = [];
    for (let pass = 0; pass < WARM_UP + PASSES; pass += 1) {
      const applied = await onePromotion(stack, fleet, address, pass + 1);
      const plain = await onePublish(fleet, publisher);
      if (pass < WARM_UP) continue;
      pawl.push(applied.fromPublish);
      fromPut.push(applied.fromRequest);
      bare.push(plain);
    }
    const ratios = pawl.map((time, pass) => time / bare[pass]);
    return [
      [count, kept, 'bare NATS publish, official client', median(bare), 1],
      [count, kept, 'publish to last apply', median(pawl), median(ratios)],
      [count, kept, 'promote sent to last apply', median(fromPut), ''],
    ];
  } finally {
    await publisher.close();
    await fleet.stop();
  }
}

async function onePromotion(stack, fleet, address, round) {
  await call(stack.url, 'PUT', `/v1/config/${address}`, documentOf(round), { 'if-match': '*' });
  const { snapshotVersion } = await call(stack.url, 'GET', `/v1/effective/${address}`);
  fleet.send({ version: snapshotVersion + 1 });
  await fleet.receive();
  const requestedAt = now();
  await promote(stack.url, address);
  const { lastAt } = await fleet.receive();
  const { published } = await call(stack.url, 'GET', `/v1/rollout/${address}`);
  return { fromPublish: lastAt - Date.parse(published.at), fromRequest: lastAt - requestedAt };
}

async function onePublish(fleet, publisher) {
  fleet.send({ version: 0 });
  await fleet.receive();
  const publishedAt = now();
  publisher.publish('bench.bare', Buffer.alloc(1500, 'x'));
  const { lastAt } = await fleet.receive();
  return lastAt - publishedAt;
}

function documentOf(round) {
  return { round, text: 'x'.repeat(900) };
}
