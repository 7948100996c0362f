#!/usr/bin/env node
// `npm run bench:quorum`: needs a build.
import { cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { Failure, Stopped } from '../../../infra/dev/lib/failure.mjs';
import { createTerminal } from '../../../infra/dev/lib/terminal.mjs';
import { Bench } from './lib/bench.mjs';
import { compare, describe } from './lib/comparison.mjs';
import { benchPuts, benchReads } from './rows/calls.mjs';
import { benchFailover } from './rows/failover.mjs';
import { benchLeases } from './rows/leases.mjs';
import { benchNpm } from './rows/npm.mjs';
import { benchPaced } from './rows/paced.mjs';
import { benchRestart } from './rows/restart.mjs';
import { benchWatches } from './rows/watches.mjs';

const ROWS = {
  puts: benchPuts,
  reads: benchReads,
  npm: benchNpm,
  paced: benchPaced,
  watches: benchWatches,
  leases: benchLeases,
  restart: benchRestart,
  failover: benchFailover,
};

/** Of our default heartbeat, 50 ms: a node that is silent for longer delays a heartbeat. */
const HALF_HEARTBEAT_MS = 25;

const HELP = `Prints figures of the quorum beside etcd's, same client, by turns, as ratios.

Usage: npm run bench:quorum [-- NAME …] [-- --passes N] [-- -o json]

  puts       puts per second, p50 and p99, at 1 and 64 callers on 1 and 3 nodes
  reads      the same of linearizable and serializable reads
  npm        puts and reads at 64 callers with the etcd3 package
  paced      puts at 100 and reads at 5,000 per second
  watches    one put to 10,000 and 50,000 watches over 100 and 1,000 connections
  leases     how late leases expire
  restart    memory of 100,000 keys, and a restart with them
  failover   kill -9 of the leader to the first acknowledged put

  --passes N   passes over both sides, at least 3 (failover: always 10 trials)
  -o json      one JSON object instead of tables

Without a name all of them run. Ratios are pawl to etcd. Bars are aims, nothing fails for them.
`;

const options = readOptions(process.argv.slice(2));
if (options !== null) process.exitCode = await main(options);

function readOptions(args) {
  try {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: {
        passes: { type: 'string', default: '3' },
        output: { type: 'string', short: 'o', default: 'text' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    if (values.help) {
      process.stdout.write(HELP);
      return null;
    }
    const passes = Number(values.passes);
    if (!Number.isInteger(passes) || passes < 1) throw new Error('--passes takes a whole number');
    if (!['text', 'json'].includes(values.output)) throw new Error('-o takes text or json');
    const unknown = positionals.filter((name) => !Object.hasOwn(ROWS, name));
    if (unknown.length > 0) {
      throw new Error(`unknown: ${unknown.join(', ')}; there are: ${Object.keys(ROWS).join(', ')}`);
    }
    return { passes, json: values.output === 'json', names: positionals };
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 2;
    return null;
  }
}

/** @returns {Promise<number>} exit code */
async function main({ passes, json, names }) {
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => stop.abort());
  const terminal = createTerminal({ stream: process.stderr });
  let bench;
  try {
    bench = await Bench.open({ passes, terminal, signal: stop.signal });
    await run(bench, { json, names, stop: stop.signal });
    return 0;
  } catch (error) {
    // What waits for an answer does not end by itself.
    if (stop.signal.aborted) setImmediate(() => process.exit(130));
    if (stop.signal.aborted) return 130;
    terminal.error(error instanceof Failure ? error.message : error.stack);
    return 1;
  } finally {
    await bench?.close();
  }
}

async function run(bench, { json, names, stop }) {
  const machine = `Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model ?? 'processor'}, load ${loadavg()[0]?.toFixed(1)} at the start`;
  if (!json) console.log(`${machine}; absolute figures drift, ratios are what counts`);
  const stopped = new Promise((_, reject) => {
    stop.addEventListener('abort', () => reject(new Stopped()));
  });
  const tables = [];
  const add = (table) => {
    tables.push(table);
    if (!json) console.log(`\n${table.title}\n${describe(table.comparisons)}`);
  };
  for (const [name, row] of Object.entries(ROWS)) {
    if (names.length > 0 && !names.includes(name)) continue;
    for (const table of [await Promise.race([row(bench), stopped])].flat()) add(table);
  }
  if (bench.blocks.size > 0) add(blocksTable(bench.blocks));
  if (json) console.log(JSON.stringify({ machine, passes: bench.passes, tables }, null, 2));
}

/** @param {Map<string, number>} blocks */
function blocksTable(blocks) {
  const bars = [{ side: 'pawl', column: 'ms', of: 'value', atMost: HALF_HEARTBEAT_MS }];
  return {
    title: 'Longest block of an event loop of ours, from when the members were ready',
    comparisons: [...blocks].map(([title, ms]) =>
      compare({ title, sides: { pawl: [{ ms }] }, bars }),
    ),
  };
}
