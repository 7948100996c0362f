import { parseArgs } from 'node:util';
import { seededRng } from '@pawl/kernel';
import { CHAOS_QUORUM } from '../../infra/dev/lib/usage.mjs';
import { Cluster } from './cluster/cluster.js';
import { etcdQuorum } from './cluster/etcd-quorum.js';
import { pawlQuorum } from './cluster/pawl-quorum.js';
import { FAULTS } from './faults/catalogue.js';
import { canHarmDisks, DISK_FAULTS } from './faults/disk-faults.js';
import { noFaults, pick, type Fault } from './faults/fault.js';
import { Observer } from './history/observer.js';
import { runHistory, type HistoryReport } from './history/run-history.js';

/** A cluster serves so many histories: what it has seen is judged again with each. */
const HISTORIES_PER_CLUSTER = 10;
const MOST_SHOWN = 10;
const ARGS = [[], ['--snapshot-count', '10']];

interface Options {
  readonly until: number;
  readonly histories: number;
  readonly seed: number;
  readonly nodes: readonly number[];
  readonly faults: readonly Fault[];
  readonly etcd: string | undefined;
}

/**
 * Ends with 1 at the first broken promise, or run that proves nothing, and with 2 for what cannot be done;
 * else prints what was done.
 */
export async function main(args: readonly string[]): Promise<number> {
  const harmsDisks = await canHarmDisks();
  if (!harmsDisks) console.log('disks are left alone: other processes cannot be traced here');
  const options = read(args, harmsDisks ? [...FAULTS, ...DISK_FAULTS] : FAULTS);
  if (typeof options === 'number') return options;
  const total = new Total();
  let seed = options.seed;
  const goesOn = () => performance.now() < options.until && seed < options.seed + options.histories;
  for (let clusters = 0; goesOn(); clusters += 1) {
    const nodes = options.nodes[clusters % options.nodes.length] ?? 3;
    const kind = options.etcd === undefined ? pawlQuorum() : etcdQuorum(options.etcd);
    const cluster = await Cluster.start({ kind, nodes, args: ARGS[clusters % ARGS.length] ?? [] });
    const observer = new Observer(cluster);
    try {
      for (let left = HISTORIES_PER_CLUSTER; left > 0 && goesOn(); left -= 1) {
        const report = await runOne({ cluster, observer, seed, options });
        total.add(report);
        if (report.violations.length > 0) {
          total.print();
          return complain(cluster, seed, report);
        }
        seed += 1;
      }
    } catch (error) {
      total.print();
      console.error(`seed ${seed}:`, error);
      return 1;
    } finally {
      await observer.stop();
      await cluster.stop();
    }
  }
  total.print();
  console.log('no promise was broken');
  return 0;
}

/** What to do, or the exit code where there is nothing to. */
function read(args: readonly string[], all: readonly Fault[]): Options | number {
  const { values } = parseArgs({
    args: [...args],
    options: {
      minutes: { type: 'string', default: '10' },
      seed: { type: 'string', default: `${Math.floor(Math.random() * 2 ** 31)}` },
      histories: { type: 'string', default: 'Infinity' },
      nodes: { type: 'string', default: '3,5' },
      only: { type: 'string', default: '' },
      etcd: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const faults = all.filter(({ name }) => name.includes(values.only));
  if (values.help || faults.length === 0) {
    console.log(values.help ? CHAOS_QUORUM : all.map(({ name }) => name).join('\n'));
    if (values.help || values.only === '?') return 0;
    console.error(`--only ${values.only}: no fault has this in its name; these are all`);
    return 2;
  }
  const nodes = values.nodes.split(',').map(Number);
  const wrong =
    (['minutes', 'histories'] as const).find((name) => !(Number(values[name]) > 0)) ??
    (Number.isSafeInteger(Number(values.seed)) ? undefined : 'seed') ??
    (nodes.every((count) => [1, 3, 5, 7].includes(count)) ? undefined : 'nodes');
  if (wrong !== undefined) {
    console.error(`--${wrong} ${values[wrong]} cannot be done\n${CHAOS_QUORUM}`);
    return 2;
  }
  return {
    until: performance.now() + Number(values.minutes) * 60_000,
    histories: Number(values.histories),
    seed: Number(values.seed),
    nodes,
    faults,
    etcd: values.etcd,
  };
}

interface OneRun {
  readonly cluster: Cluster;
  readonly observer: Observer;
  readonly seed: number;
  readonly options: Options;
}

async function runOne({ cluster, observer, seed, options }: OneRun): Promise<HistoryReport> {
  const rng = seededRng(seed);
  const faults = Array.from({ length: 2 }, () => pick(rng, options.faults));
  const since = performance.now();
  // What etcd 3.4 is known to break is not asked of it (etcd#19179, etcd#15220).
  const asks = options.etcd === undefined;
  const wish = { cluster, observer, seed, faults, compacts: asks, asksProgress: asks };
  const report = await runHistory(wish);
  const names = faults.map(({ name }) => name).join(', ');
  const seconds = Math.round((performance.now() - since) / 100) / 10;
  console.log(
    `seed ${seed}, ${cluster.nodes.length} nodes, ${names}: ${report.operations} calls, ` +
      `${report.unknown} unknown (${report.unknownDone} done), ${report.revisions} revisions, ` +
      `${report.watchEvents} messages of watches, ${seconds} s`,
  );
  return report;
}

function complain(cluster: Cluster, seed: number, { violations }: HistoryReport): number {
  for (const { rule, text } of violations.slice(0, MOST_SHOWN)) console.error(`${rule}: ${text}`);
  console.error(`${violations.length} broken promises with seed ${seed}\n${cluster.logs()}`);
  return 1;
}

/** What a run of many histories came to. */
class Total {
  private histories = 0;
  private readonly sums = new Map<string, number>();

  add({ violations: _, tally, ...counts }: HistoryReport): void {
    this.histories += 1;
    for (const [name, count] of Object.entries({ ...counts, ...tally })) {
      this.sums.set(name, (this.sums.get(name) ?? 0) + count);
    }
  }

  print(): void {
    const zero = Object.fromEntries(Object.keys(noFaults()).map((name) => [name, 0]));
    console.table({ histories: this.histories, ...zero, ...Object.fromEntries(this.sums) });
  }
}
