import { connect as connectNats } from '@nats-io/transport-node';
import { cohortOf } from '@pawl/contracts';
import { processorTime } from './lib/processor-time.mjs';
import { median, percentile, printTable } from './lib/report.mjs';
import { call, promote, startChild } from './lib/stack.mjs';

const CONSUMERS = 1_000;
/** One of so many rejects what is bad. */
const REJECTING = 20;
const PASSES = 7;
const HOUR_MS = 3_600_000;
const now = () => performance.timeOrigin + performance.now();

/** Releases in stages: how fast a bad one is stopped and taken back, and what watching them costs. */
export async function benchReleases(stack) {
  await benchStop(stack);
  await benchStatus(stack);
}

/**
 * A change that one of twenty instances rejects, released to a tenth first: how many run it before it
 * stops, and how long after the first rejection the last of them is back; beside a promote to all, and
 * its rollback.
 */
async function benchStop(stack) {
  const address = 'staged/app';
  await call(stack.url, 'PUT', `/v1/config/${address}`, documentOf(0));
  await promote(stack.url, address);
  const fleet = startChild('staged-fleet.mjs', [
    ...[stack.natsUrl, address, String(CONSUMERS), String(REJECTING)],
  ]);
  const promotes = [];
  const rollbacks = [];
  const stops = [];
  const reached = [];
  try {
    await fleet.receive();
    await settled(stack, address, CONSUMERS);
    for (let pass = 0; pass < PASSES; pass += 1) {
      const version = await put(stack, address, documentOf(pass + 1));
      promotes.push(await timed(fleet, pass + 1, () => promote(stack.url, address)));
      await settled(stack, address, CONSUMERS);
      const back = { action: 'rollback', targetVersion: version - (pass === 0 ? 1 : 2) };
      rollbacks.push(await timed(fleet, pass, () => release(stack, address, back)));
      await settled(stack, address, CONSUMERS);
      await timed(fleet, pass + 1, () =>
        release(stack, address, { action: 'promote', targetVersion: version }),
      );
      await settled(stack, address, CONSUMERS);
      await put(stack, address, { ...documentOf(-1), bad: true });
      const stages = [{ percent: 10, bakeMs: HOUR_MS }, { percent: 100 }];
      await arm(fleet, { round: pass + 1, of: CONSUMERS, afterRejection: true });
      await release(stack, address, { action: 'promote', strategy: { stages, preflight: false } });
      const stopped = await fleet.receive();
      stops.push(stopped.lastAt - stopped.rejectedAt);
      reached.push(stopped.reached);
      await settled(stack, address, CONSUMERS);
    }
  } finally {
    await fleet.stop();
  }
  printTable(
    `${CONSUMERS} consumers of the SDK, one of ${REJECTING} rejects the bad change; ${PASSES} passes`,
    ['what', 'median', 'most'],
    [
      ['a promote to all, until the last applied, ms', median(promotes), Math.max(...promotes)],
      ['its rollback, until the last applied, ms', median(rollbacks), Math.max(...rollbacks)],
      ['rollback / promote', median(rollbacks) / median(promotes), ''],
      ['bad change at 10 %: instances that ran it', median(reached), Math.max(...reached)],
      [
        'first rejection until the last candidate is back, ms (aim: below 2000)',
        median(stops),
        Math.max(...stops),
      ],
    ],
  );
}

const HEARD = 10_000;
const ASKS = 50;
const WATCH_MS = 10_000;

/** Status, and what the watch of a release costs its owner, with ten thousand consumers that only report. */
async function benchStatus(stack) {
  const address = 'heard/app';
  const nats = await connectNats({ servers: stack.natsUrl });
  let head = { generation: 0, version: 0, releases: [] };
  nats.subscribe('pawl.main.push.heard.app.config', {
    callback: (_, message) => {
      const { generation, version, snapshot } = message.json();
      head = { generation, version, releases: snapshot?.releases ?? [] };
    },
  });
  await nats.flush();
  await call(stack.url, 'PUT', `/v1/config/${address}`, documentOf(0));
  await promote(stack.url, address);
  const subject = `pawl.main.hello.heard.bench.`;
  const slots = [];
  /** Every consumer says that it runs what is published, as the cohort that it is of. */
  const hello = async () => {
    for (let from = 0; from < HEARD; from += 200) {
      const batch = Array.from({ length: 200 }, (_, at) => from + at);
      await Promise.all(
        batch.map(async (index) => {
          const told = helloOf(address, index, { ...head, slot: slots[index] ?? null });
          const timeout = 10_000;
          const reply = await nats.request(`${subject}bench-${index}`, told, { timeout });
          slots[index] = reply.json().slot;
        }),
      );
    }
  };
  try {
    // The first time each is given a slot, which takes long with so many at once.
    for (let time = 0; time < 3; time += 1) await hello();
    const idle = await watched(stack, hello);
    const plain = await askStatus(stack, address);
    await put(stack, address, documentOf(1));
    const stages = [{ percent: 10, bakeMs: HOUR_MS }, { percent: 100 }];
    await release(stack, address, {
      action: 'promote',
      strategy: { stages, gates: [], preflight: false },
    });
    const busy = await watched(stack, hello);
    const staged = await askStatus(stack, address);
    const perThousand = ((busy.cpuMs - idle.cpuMs) * 1_000) / HEARD;
    printTable(
      `${HEARD} consumers that only report, over ${WATCH_MS / 1_000} s`,
      ['what', 'without a release', 'with one at 10 %'],
      [
        ['GET /v1/rollout, median ms (aim: below 50)', median(plain), median(staged)],
        ['GET /v1/rollout, p99 ms', percentile(plain, 0.99), percentile(staged, 0.99)],
        [`processor time for ${HEARD} reports and the watch, ms`, idle.cpuMs, busy.cpuMs],
        ['more for the release, for 1,000 reports, ms', '', perThousand],
      ],
    );
    await release(stack, address, { action: 'abort' });
  } finally {
    await nats.close();
  }
}

function helloOf(address, index, { generation, version, releases, slot }) {
  const cohort = cohortOf(releases, { workload: 'bench', slot, labels: {} });
  const run = { address, generation, version, ...(cohort === '' ? {} : { cohort }) };
  const of = slot === null ? {} : { slot };
  return JSON.stringify({ format: 1, incarnation: `i${index}`, labels: {}, runs: [run], ...of });
}

/** Processor time of the control plane while every consumer reports once. */
async function watched(stack, hello) {
  const before = await processorTime(stack);
  const untilMs = now() + WATCH_MS;
  await hello();
  while (now() < untilMs) await new Promise((resolve) => setTimeout(resolve, 50));
  return { cpuMs: (await processorTime(stack)) - before };
}

async function askStatus({ url }, address) {
  const times = [];
  for (let ask = 0; ask < ASKS; ask += 1) {
    const askedAt = now();
    await call(url, 'GET', `/v1/rollout/${address}`);
    times.push(now() - askedAt);
  }
  return times;
}

async function timed(fleet, round, work) {
  await arm(fleet, { round, of: CONSUMERS });
  const startedAt = now();
  await work();
  return (await fleet.receive()).lastAt - startedAt;
}

async function arm(fleet, wanted) {
  fleet.send({ wanted: { from: wanted.round, ...wanted } });
  await fleet.receive();
}

/** Once every consumer has acknowledged what is published. */
async function settled({ url }, address, live) {
  const untilMs = now() + 60_000;
  while (now() < untilMs) {
    const { consumers, converged, releases } = await call(url, 'GET', `/v1/rollout/${address}`);
    if (converged && consumers.live === live && (releases ?? []).length === 0) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`${address} did not converge within a minute`);
}

const release = ({ url }, address, request) => call(url, 'POST', `/v1/release/${address}`, request);

async function put({ url }, address, document) {
  const path = `/v1/config/${address}`;
  return (await call(url, 'PUT', path, document, { 'if-match': '*' })).version;
}

function documentOf(round) {
  return { round, bad: false, text: 'x'.repeat(900) };
}
