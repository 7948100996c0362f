import { PacedWriter } from './lib/paced-writer.mjs';
import { median, percentile, printTable } from './lib/report.mjs';
import { rootsOf, rootsOfShards, startThreeNodes } from './lib/three-nodes.mjs';

const WRITERS = 20;
/** Of all writers together. */
const WRITES_PER_SECOND = 100;
const PACED_SECONDS = 8;
const PASSES = 3;
const KILLS = 10;
const ROOTS_OF_THE_KILLED = 8;
const RELEASES = 30;
const HAND_OVERS = 3;
/** Between two writes of a shard that is handed over: the longest time without one is not below. */
const HAND_OVER_EVERY_MS = 25;
const SHARD_COUNTS = [1, 4, 16, 48];
/** Each with one write in flight: enough for every shard to have one. */
const BUSY_WRITERS = 48;
const BUSY_SECONDS = 4;

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** What three nodes take, beside what they take from each other, and what their loss costs. */
export async function benchNodes(stack) {
  const cluster = await startThreeNodes(stack);
  try {
    await benchRouting(cluster);
    await benchShards(cluster);
    await benchStatus(cluster);
    await benchKills(cluster);
    await benchHandOvers(cluster);
    await benchRollingRestart(cluster);
  } finally {
    await cluster.stopAll();
  }
}

/** Writers at addresses of one node's shards, through `through`; until `work` is done. */
async function underLoad({ addresses, urls }, work) {
  const writers = addresses.map((address) => new PacedWriter(address, urls));
  const stop = new AbortController();
  const everyMs = (1_000 * writers.length) / WRITES_PER_SECOND;
  const running = writers.map(async (writer, index) => {
    await pause((everyMs * index) / writers.length);
    await writer.run(everyMs, stop.signal);
  });
  await work();
  stop.abort();
  await Promise.all(running);
  for (const { refusal } of writers) if (refusal !== '') console.error(`refused: ${refusal}`);
  return writers;
}

const addressesOf = (roots, name) =>
  Array.from({ length: WRITERS }, (_, n) => `${roots[n % roots.length]}/${name}-${n}`);

async function benchRouting(cluster) {
  const roots = rootsOf(await cluster.settled(), 'node-2', 8);
  const passes = { owner: [], other: [] };
  for (let pass = 0; pass < PASSES; pass += 1) {
    for (const [name, id] of [
      ['owner', 'node-2'],
      ['other', 'node-1'],
    ]) {
      const load = {
        addresses: addressesOf(roots, `${name}-${pass}`),
        urls: () => [cluster.url(id)],
      };
      const writers = await underLoad(load, () => pause(PACED_SECONDS * 1_000));
      const took = writers.flatMap((writer) => writer.took.slice(1)).sort((a, b) => a - b);
      const at = (share) => took[Math.floor(took.length * share)];
      passes[name].push({ p50: at(0.5), p99: at(0.99) });
    }
  }
  const row = (name) => [
    median(passes[name].map(({ p50 }) => p50)),
    median(passes[name].map(({ p99 }) => p99)),
  ];
  const [own, other] = [row('owner'), row('other')];
  printTable(
    `PUT at ${WRITES_PER_SECOND} a second, ms (aim: p99 < 20 through a non-owner)`,
    ['through', 'p50', 'p99'],
    [
      ['the owner', ...own],
      ['another node', ...other],
      ['ratio', other[0] / own[0], other[1] / own[1]],
    ],
  );
}

/** What all writers get done at their shards' owners, by how many shards they are spread over. */
async function benchShards(cluster) {
  const rates = new Map(SHARD_COUNTS.map((count) => [count, []]));
  for (let pass = 0; pass < PASSES; pass += 1) {
    for (const count of SHARD_COUNTS) {
      const places = rootsOfShards(await cluster.settled(), count);
      const writers = Array.from({ length: BUSY_WRITERS }, (_, n) => {
        const { root, owner } = places[n % places.length];
        return new PacedWriter(`${root}/of-${count}-${pass}-${n}`, () => [cluster.url(owner)]);
      });
      const stop = new AbortController();
      const startedAt = performance.now();
      const running = writers.map((writer) => writer.run(0, stop.signal));
      await pause(BUSY_SECONDS * 1_000);
      stop.abort();
      await Promise.all(running);
      const written = writers.reduce((sum, { took }) => sum + took.length, 0);
      rates.get(count).push((1_000 * written) / (performance.now() - startedAt));
    }
  }
  const [one] = SHARD_COUNTS.map((count) => median(rates.get(count)));
  printTable(
    `PUT of ${BUSY_WRITERS} writers through the owners, by the number of shards`,
    ['shards', 'a second', 'to one shard'],
    SHARD_COUNTS.map((count) => [count, median(rates.get(count)), median(rates.get(count)) / one]),
  );
}

/** How long after a release was acknowledged every node tells of it, and of how many consumers there are. */
async function benchStatus(cluster) {
  const [root] = rootsOf(await cluster.settled(), 'node-2', 1);
  const address = `${root}/status`;
  const writer = new PacedWriter(address, () => [cluster.url('node-2')]);
  const late = new Map(cluster.ids.map((id) => [id, []]));
  for (let release = 0; release < RELEASES; release += 1) {
    await writer.write();
    const answer = await fetch(`${cluster.url('node-2')}/v1/release/${address}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ action: 'promote' }),
    });
    const { releaseVersion } = await answer.json();
    const since = performance.now();
    await Promise.all(
      cluster.ids.map(async (id) => {
        const told = async () => {
          const status = await fetch(`${cluster.url(id)}/v1/rollout/${address}`);
          return (await status.json()).published?.version >= releaseVersion;
        };
        while (!(await told())) await pause(1);
        late.get(id).push(performance.now() - since);
      }),
    );
  }
  printTable(
    'from the answer to a release until a node tells of it, ms (aim: < 1,000)',
    ['node', 'median', 'worst'],
    cluster.ids.map((id) => [
      id === 'node-2' ? 'the owner' : id,
      median(late.get(id)),
      Math.max(...late.get(id)),
    ]),
  );
}

/** From kill -9 of an owner to the first acknowledged write on each of its shards that have roots. */
async function benchKills(cluster) {
  const took = [];
  for (let kill = 0; kill < KILLS; kill += 1) {
    const id = cluster.ids[kill % cluster.ids.length];
    const rest = cluster.ids.filter((other) => other !== id);
    const roots = rootsOf(await cluster.settled(), id, ROOTS_OF_THE_KILLED);
    const writers = roots.map(
      (root) => new PacedWriter(`${root}/kill-${kill}`, () => rest.map((one) => cluster.url(one))),
    );
    await Promise.all(writers.map((writer) => writer.write()));
    const killedAt = performance.now();
    await cluster.kill(id);
    await Promise.all(writers.map((writer) => writer.write()));
    took.push(...writers.map((writer) => writer.acknowledgedAt.at(-1) - killedAt));
    await cluster.start(id);
  }
  printTable(
    `kill -9 of the owner to the first write on its shards, ms (aim: p99 < lease 5,000 + 1,000)`,
    ['kills', 'shards', 'median', 'p99', 'worst'],
    [[KILLS, took.length, median(took), percentile(took, 0.99), Math.max(...took)]],
  );
}

/** An orderly stop of a node: how long its shards take no write. */
async function benchHandOvers(cluster) {
  const gaps = [];
  for (let turn = 0; turn < HAND_OVERS; turn += 1) {
    const id = cluster.ids[turn % cluster.ids.length];
    const rest = cluster.ids.filter((other) => other !== id);
    const roots = rootsOf(await cluster.settled(), id, 8);
    const writers = roots.map(
      (root) => new PacedWriter(`${root}/stop-${turn}`, () => rest.map((one) => cluster.url(one))),
    );
    const stop = new AbortController();
    const running = writers.map((writer) => writer.run(HAND_OVER_EVERY_MS, stop.signal));
    await pause(500);
    await cluster.stop(id);
    await pause(500);
    stop.abort();
    await Promise.all(running);
    gaps.push(...writers.map((writer) => writer.longestGapMs));
    await cluster.start(id);
  }
  printTable(
    'planned hand-over: longest time without a write of a shard, ms (aim: < 200)',
    ['shards', 'median', 'worst'],
    [[gaps.length, median(gaps), Math.max(...gaps)]],
  );
}

/** Each node is stopped in order and started again, while writers go to whichever takes them. */
async function benchRollingRestart(cluster) {
  const owners = await cluster.settled();
  const roots = cluster.ids.flatMap((id) => rootsOf(owners, id, 4));
  let turn = 0;
  const urls = () => {
    turn += 1;
    return cluster.ids.map((_, at) => cluster.url(cluster.ids[(at + turn) % cluster.ids.length]));
  };
  const load = { addresses: addressesOf(roots, 'rolling'), urls };
  const writers = await underLoad(load, async () => {
    for (const id of cluster.ids) {
      await cluster.stop(id);
      await cluster.start(id);
      await cluster.settled();
    }
  });
  let lost = 0;
  for (const writer of writers) lost += await writer.lost();
  const sum = (of) => writers.reduce((total, writer) => total + of(writer), 0);
  printTable(
    `rolling restart of three nodes under ${WRITES_PER_SECOND} writes a second (aim: 0 refused, 0 lost)`,
    ['writes', 'node was away', 'refused', 'lost', 'longest gap, ms'],
    [
      [
        sum(({ took }) => took.length),
        sum(({ away }) => away),
        sum(({ refused }) => refused),
        lost,
        Math.max(...writers.map(({ longestGapMs }) => longestGapMs)),
      ],
    ],
  );
}
