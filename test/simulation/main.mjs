#!/usr/bin/env node
// `npm run sim -- --seed N | --minutes M`: replays one seed, or runs fresh seeds for so long. Needs
// a build. Prints the states that were reached; ends with 1 at the first broken invariant.
import { parseArgs } from 'node:util';
import { runSeeds } from '@pawl/raft/testing';

const EVENTS = 20_000;

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    minutes: { type: 'string', default: '1' },
    events: { type: 'string', default: String(EVENTS) },
    help: { type: 'boolean', short: 'h', default: false },
  },
});

if (values.help) {
  console.log('Usage: npm run sim [-- --seed N | --minutes M] [--events 20000]');
} else if (values.seed === undefined) {
  runFor(Number(values.minutes) * 60_000);
} else {
  const { reached, committed, traces } = run(Number(values.seed));
  console.table(reached);
  console.log(
    `seed ${values.seed}: ${committed} entries committed, trace ${traces[0].toString(16)}`,
  );
}

function runFor(milliseconds) {
  const first = Math.floor(Math.random() * 2 ** 31);
  const end = performance.now() + milliseconds;
  const total = {};
  let seed = first;
  for (; performance.now() < end; seed += 1) {
    for (const [what, often] of Object.entries(run(seed).reached)) {
      total[what] = (total[what] ?? 0) + often;
    }
  }
  console.table(total);
  console.log(`${seed - first} seeds from ${first}, ${values.events} events each: no violation`);
}

function run(seed) {
  try {
    return runSeeds({ from: seed, count: 1, events: Number(values.events) });
  } catch (error) {
    console.error(
      `${error.stack}\nreplay: npm run sim -- --seed ${seed} --events ${values.events}`,
    );
    process.exit(1);
  }
}
