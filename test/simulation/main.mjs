#!/usr/bin/env node
// `npm run sim -- --seed N | --minutes M`: replays one seed, or runs fresh seeds for so long. Needs
// a build. `--of log` runs the consensus core alone, `--of quorum` members of the quorum with clients,
// watches and leases, `--of nodes` the whole control plane with consumers and writers, `--of releases`
// the same with releases in stages; all of them in turn unless told. Prints the states that were reached; ends with 1 at the first broken invariant.
import { parseArgs } from 'node:util';
import { runWorlds } from '@pawl/metadata/simulation';
import { runSeeds } from '@pawl/raft/testing';
import { SIM } from '../../infra/dev/lib/usage.mjs';
import { loadSources } from './sources.mjs';

const EVENTS = 20_000;

const RUNS = {
  log: runSeeds,
  quorum: runWorlds,
  nodes: async (options) => (await nodes()).runNodes(options),
  releases: async (options) => (await nodes()).runNodes({ ...options, staged: true }),
};
let loaded;

/** Loaded from its sources, once: `test` is not built. */
function nodes() {
  process.setSourceMapsEnabled(true);
  loaded ??= loadSources('test/simulation/nodes/run-nodes.ts');
  return loaded;
}

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    minutes: { type: 'string', default: '1' },
    events: { type: 'string', default: String(EVENTS) },
    of: { type: 'string', default: 'all' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});

const WORLDS = {
  log: ['log'],
  quorum: ['quorum'],
  nodes: ['nodes'],
  releases: ['releases'],
  all: ['log', 'quorum', 'nodes', 'releases'],
};
const worlds = Object.hasOwn(WORLDS, values.of) ? WORLDS[values.of] : undefined;

if (values.help || worlds === undefined) {
  console.log(SIM);
  if (!values.help) {
    console.error(`--of is one of ${Object.keys(WORLDS).join(', ')}, not ${values.of}`);
    process.exitCode = 2;
  }
} else if (values.seed === undefined) {
  await runFor(Number(values.minutes) * 60_000);
} else {
  for (const world of worlds) {
    const { reached, traces } = await run(world, Number(values.seed));
    console.table(reached);
    console.log(`${world}, seed ${values.seed}: trace ${traces[0].toString(16)}`);
  }
}

/** The simulated worlds share the time. */
async function runFor(milliseconds) {
  const first = Math.floor(Math.random() * 2 ** 31);
  for (const world of worlds) {
    const end = performance.now() + milliseconds / worlds.length;
    const total = {};
    let seed = first;
    for (; performance.now() < end; seed += 1) {
      for (const [what, often] of Object.entries((await run(world, seed)).reached)) {
        total[what] = (total[what] ?? 0) + often;
      }
    }
    console.table(total);
    console.log(
      `${world}: ${seed - first} seeds from ${first}, ${values.events} events each: no violation`,
    );
  }
}

async function run(world, seed) {
  const options = { from: seed, count: 1, events: Number(values.events) };
  try {
    return await RUNS[world](options);
  } catch (error) {
    console.error(
      `${error.stack}\nreplay: npm run sim -- --of ${world} --seed ${seed} --events ${values.events}`,
    );
    process.exit(1);
  }
}
