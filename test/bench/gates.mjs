import { connect as connectNats } from '@nats-io/transport-node';
import { LightConsumer, startLight } from './lib/light-consumer.mjs';
import { processorTime } from './lib/processor-time.mjs';
import { median, printTable } from './lib/report.mjs';
import { call, promote } from './lib/stack.mjs';

const ADDRESS = 'gated/app';
const CONSUMERS = 1_000;
const BLOCKS = 3;
/** Rounds of each kind in a block, after one that does not count. */
const ROUNDS = 4;
/** From the first ack on: errors and latency are judged each 5 s. */
const WINDOW_MS = 5_500;
const HOUR_MS = 3_600_000;
const REACHED_WITHIN_MS = 30_000;
const REQUESTS = 20;
const GATES = [
  { kind: 'rejections' },
  { kind: 'lost' },
  { kind: 'applied' },
  { kind: 'errors', maxPercent: 5, maxRatio: 5 },
  { kind: 'latency', maxMs: 1_000, maxRatio: 5 },
];
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * What the owner's processor does for 1,000 acks of one snapshot, and until everything was judged once:
 * with a release in stages under way with five gates, and without any, block by block.
 */
export async function benchGates(stack) {
  await call(stack.url, 'PUT', `/v1/config/${ADDRESS}`, documentOf(0));
  await promote(stack.url, ADDRESS);
  const nats = await connectNats({ servers: stack.natsUrl });
  const consumers = Array.from(
    { length: CONSUMERS },
    (_, index) =>
      new LightConsumer({ connection: nats, address: ADDRESS, consumerId: `gated-${index}` }),
  );
  const plain = [];
  const gated = [];
  let passed = '';
  try {
    await startLight(consumers);
    while (consumers.some(({ slot }) => slot === null)) await helloAll(consumers);
    for (const one of consumers) one.isQuiet = true;
    for (let block = 0; block < BLOCKS; block += 1) {
      const without = await blockOf({ stack, consumers, step: () => promoteNext(stack) });
      plain.push(...without);
      await beginStages(stack);
      await reached(consumers, await published(stack));
      await acked(stack, consumers);
      gated.push(...(await blockOf({ stack, consumers, step: () => release(stack, 'advance') })));
      passed = await outcomes(stack);
      await release(stack, 'abort');
      await reached(consumers, await published(stack));
    }
  } finally {
    for (const one of consumers) one.close();
    await nats.drain();
  }
  print(plain, gated, passed);
}

async function blockOf({ stack, consumers, step }) {
  const times = [];
  for (let round = 0; round <= ROUNDS; round += 1) {
    await step();
    await reached(consumers, await published(stack));
    const before = await processorTime(stack);
    for (const one of consumers) one.ack();
    await pause(WINDOW_MS);
    const took = (await processorTime(stack)) - before;
    if (round > 0) times.push(took);
    await helloAll(consumers);
  }
  return times;
}

/** Everybody says that it runs what it runs, and how it fares. */
async function acked(stack, consumers) {
  for (const one of consumers) one.ack();
  await helloAll(consumers);
}

async function helloAll(consumers) {
  for (let from = 0; from < consumers.length; from += 200) {
    const group = consumers.slice(from, from + 200);
    for (const one of group) one.requests += REQUESTS;
    await Promise.all(group.map((one) => one.hello()));
  }
}

async function reached(consumers, version) {
  const untilMs = performance.now() + REACHED_WITHIN_MS;
  while (consumers.some((one) => one.version < version)) {
    if (performance.now() > untilMs) throw new Error(`version ${version} did not reach everybody`);
    await pause(20);
  }
  // What publication costs the owner does not count.
  await pause(300);
}

let round = 0;

async function putNext({ url }) {
  round += 1;
  await call(url, 'PUT', `/v1/config/${ADDRESS}`, documentOf(round), { 'if-match': '*' });
}

async function promoteNext(stack) {
  await putNext(stack);
  await promote(stack.url, ADDRESS);
}

async function beginStages(stack) {
  await putNext(stack);
  const percents = Array.from({ length: ROUNDS + 3 }, (_, at) => 40 + 2 * at);
  const stages = [...percents.map((percent) => ({ percent, bakeMs: HOUR_MS })), { percent: 100 }];
  const strategy = { stages, gates: GATES, preflight: false };
  await call(stack.url, 'POST', `/v1/release/${ADDRESS}`, { action: 'promote', strategy });
}

const release = ({ url }, action) => call(url, 'POST', `/v1/release/${ADDRESS}`, { action });

async function published({ url }) {
  const before = await call(url, 'GET', `/v1/rollout/${ADDRESS}`);
  return before.published.version;
}

/** What the gates said last. */
async function outcomes({ url }) {
  const { releases } = await call(url, 'GET', `/v1/rollout/${ADDRESS}`);
  const gates = releases?.[0]?.gates ?? [];
  return gates.map((gate) => `${gate.kind} ${gate.outcome}`).join(', ');
}

function print(plain, gated, passed) {
  const without = median(plain);
  const more = median(gated) - without;
  const spread = Math.max(spreadOf(plain), spreadOf(gated));
  printTable(
    `Processor time of the owner for ${CONSUMERS} acks and the ${WINDOW_MS / 1_000} s after, ms; ` +
      `${plain.length} rounds of each, in ${BLOCKS} blocks`,
    ['what', 'median', 'half of the rounds within ±'],
    [
      ['without a release', without, spreadOf(plain)],
      ['with one in stages and five gates', median(gated), spreadOf(gated)],
      ['more for the release, for 1,000 acks', (more * 1_000) / CONSUMERS, ''],
      ['ratio', median(gated) / without, ''],
    ],
  );
  if (Math.abs(more) <= spread) console.log('  the difference is not told from noise');
  console.log(`  the gates, at the end: ${passed}`);
}

/** Median distance from the median. */
function spreadOf(values) {
  const middle = median(values);
  return median(values.map((value) => Math.abs(value - middle)));
}

function documentOf(number) {
  return { round: number, text: 'x'.repeat(900) };
}
