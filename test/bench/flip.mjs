import { connect as connectNats } from '@nats-io/transport-node';
import { median, percentile, printTable } from './lib/report.mjs';
import { call, promote, startChild, startStack } from './lib/stack.mjs';
import { openTap } from './lib/tap.mjs';

const ROUNDS = 200;
/** Rounds before the first that counts. */
const WARM_UP = 20;
const ADDRESS = 'flip/app';
const PUSH = 'pawl.main.push.flip.app.config';
const BARE = 'bench.bare';

/**
 * From when the message of a promote leaves its owner until a consumer of the SDK has swapped in a document
 * of 100 KB that a preflight has prepared, beside a bare message of 1 KB, and beside a promote that nothing
 * has prepared. Owner and bare publisher send through the same tap.
 */
export async function benchFlip() {
  let tap;
  const stack = await startStack({ natsThrough: async (url) => (tap = await openTap(url)).url });
  const closers = [];
  try {
    const publisher = await connectNats({ servers: tap.url });
    closers.push(() => publisher.close());
    await call(stack.url, 'PUT', `/v1/config/${ADDRESS}`, documentOf(0));
    await promote(stack.url, ADDRESS);
    const consumer = startChild('flip-consumer.mjs', [stack.natsUrl, ADDRESS, BARE]);
    closers.push(() => consumer.stop());
    await consumer.receive();
    const parts = { stack, tap, consumer, publisher };
    const times = { prepared: [], bare: [], unprepared: [] };
    for (let round = 1; round <= WARM_UP + ROUNDS; round += 1) {
      const bare = await oneBare(parts);
      const prepared = await oneFlip(parts, { round: 2 * round, isPrepared: true });
      const unprepared = await oneFlip(parts, { round: 2 * round + 1, isPrepared: false });
      if (round <= WARM_UP) continue;
      times.bare.push(bare);
      times.prepared.push(prepared);
      times.unprepared.push(unprepared);
    }
    print(times);
  } finally {
    for (const close of closers.reverse()) await close();
    await stack.stop();
    tap?.close();
  }
}

async function oneFlip({ stack, tap, consumer }, { round, isPrepared }) {
  await call(stack.url, 'PUT', `/v1/config/${ADDRESS}`, documentOf(round), { 'if-match': '*' });
  if (isPrepared) {
    const { consumers } = await call(stack.url, 'POST', `/v1/preflight/${ADDRESS}`, {});
    if (consumers.accepted !== 1) throw new Error('the consumer has not accepted');
  }
  tap.watch(PUSH);
  await promote(stack.url, ADDRESS);
  const applied = await consumer.receive();
  if (applied.round !== round) throw new Error('the consumer has applied something else');
  return applied.atMs - tap.leftAt();
}

async function oneBare({ tap, consumer, publisher }) {
  tap.watch(BARE);
  publisher.publish(BARE, Buffer.alloc(1_000, 'x'));
  const { atMs } = await consumer.receive();
  return atMs - tap.leftAt();
}

function documentOf(round) {
  const lists = Object.fromEntries(
    Array.from({ length: 1_000 }, (_, index) => [`key-${index}`, 'x'.repeat(85)]),
  );
  return { round, ...lists };
}

function print({ bare, prepared, unprepared }) {
  const row = (what, values) => [
    ...[what, median(values), percentile(values, 0.95)],
    median(values.map((value, round) => value / bare[round])),
  ];
  printTable(
    `From when the message leaves until it has arrived, or is applied; ${ROUNDS} of each by turns, ms`,
    ['what', 'median', '95 %', 'ratio to bare'],
    [
      row('a bare publish of 1 KB', bare),
      row('a flip to 100 KB that a preflight has prepared (aim: 1.1)', prepared),
      row('a flip to 100 KB that nothing has prepared', unprepared),
    ],
  );
}
