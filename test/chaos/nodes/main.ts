import { execFileSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { seededRng } from '@pawl/kernel';
import { CHAOS } from '../../../infra/dev/lib/usage.mjs';
import type { Broken } from './checks/promise.js';
import { FAULTS } from './faults/catalogue.js';
import type { NodesFault } from './faults/fault.js';
import { describe, Report } from './report.js';
import { evidence, runCase } from './run-case.js';
import { Traffic } from './traffic/traffic.js';
import { VoidError } from './void-error.js';
import { World } from './world/world.js';

/** A world serves so many cases: all that was ever done in it is judged again with each. */
const CASES_PER_WORLD = 20;
/** A fault that could not be done so often more than it was fails the run. */
const MOST_VOID = 3;
const SHARDS = 16;
const MOST_SHOWN = 10;

interface Options {
  readonly until: number;
  /** How often each fault comes. */
  readonly times: number;
  readonly seed: number;
  readonly faults: readonly NodesFault[];
  readonly consumers: number;
  readonly scopes: number;
  readonly json: boolean;
  readonly book: string | null;
  readonly natsServer: string;
}

/**
 * Ends with 1 at the first broken promise, or fault that mostly could not be done, and with 2 for what cannot
 * be done; else prints what was done.
 */
export async function main(args: readonly string[], natsServer: string): Promise<number> {
  const options = read(args, natsServer);
  if (typeof options === 'number') return options;
  const report = new Report({ book: options.book, build: buildOf() });
  const cases = new Cases(options, report);
  let failure: string | null = null;
  while (failure === null && cases.hasNext) failure = await runWorld(options, cases, report);
  console.log(options.json ? report.json() : report.table());
  if (report.builds !== null) console.error(`the book is of several builds: ${report.builds}`);
  const left = options.faults
    .filter(({ name }) => report.times(name) === 0)
    .map(({ name }) => name);
  if (left.length > 0) console.error(`there was no time for ${left.join(', ')}`);
  const broken =
    report.broken === 0
      ? 'no promise was broken in what was done'
      : `${report.broken} cases of this and earlier runs in the book were broken`;
  console.error(failure ?? broken);
  return failure === null && report.broken === 0 ? 0 : 1;
}

/** Which seed comes next, and which fault: of those that came least often, the seed's. */
class Cases {
  #made = 0;

  constructor(
    private readonly options: Options,
    private readonly report: Report,
  ) {}

  get hasNext(): boolean {
    return performance.now() < this.options.until && this.#least < this.options.times;
  }

  next(): { readonly seed: number; readonly fault: NodesFault } {
    const { seed: first, faults } = this.options;
    const seed = first + this.#made;
    this.#made += 1;
    const least = this.#least;
    const rest = faults.filter(({ name }) => this.report.times(name) === least);
    const fault = rest[seed % rest.length];
    if (fault === undefined) throw new Error('no faults');
    return { seed, fault };
  }

  /** How often every fault came. */
  get #least(): number {
    return Math.min(...this.options.faults.map(({ name }) => this.report.times(name)));
  }
}

/** Cases on one world until it has served enough; answers what went wrong. */
async function runWorld(options: Options, cases: Cases, report: Report): Promise<string | null> {
  const { natsServer, scopes, consumers } = options;
  const fleetProcesses = Math.max(1, Math.ceil(consumers / 50));
  const world = await World.start({
    natsServer,
    scopes,
    consumers,
    fleetProcesses,
    shards: SHARDS,
  });
  const traffic = Traffic.of(world);
  try {
    await traffic.found(seededRng(options.seed));
    await world.startFleet();
    for (let left = CASES_PER_WORLD; left > 0 && cases.hasNext; left -= 1) {
      const { seed, fault } = cases.next();
      const failure = await runOne({ world, traffic, seed, fault }, report);
      if (failure !== null) return failure;
    }
    return null;
  } finally {
    await world.stop();
  }
}

interface One {
  readonly world: World;
  readonly traffic: Traffic;
  readonly seed: number;
  readonly fault: NodesFault;
}

/** One case; what went wrong, with how to see it again and where its traces are. */
async function runOne(one: One, report: Report): Promise<string | null> {
  const { world, traffic, seed, fault } = one;
  const again = `npm run chaos -- --seed ${seed} --times 1 --only '${fault.name}'`;
  const started = performance.now();
  let broken: readonly Broken[] = [];
  let failure = '';
  try {
    const result = await runCase({ world, traffic, fault, rng: seededRng(seed) });
    report.add(seed, result);
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    console.error(`seed ${seed}, ${fault.name}: ${describe(result)}, ${seconds} s`);
    broken = result.broken;
    if (broken.length === 0) return null;
    const shown = broken.slice(0, MOST_SHOWN).map(({ promise, text }) => `${promise}: ${text}`);
    failure = `${broken.length} broken promises\n${shown.join('\n')}`;
  } catch (error) {
    failure = error instanceof Error ? (error.stack ?? error.message) : String(error);
    if (error instanceof VoidError) {
      report.addVoid(seed, fault.name);
      console.error(`seed ${seed}, ${fault.name}: void, ${error.message}`);
      if (report.voids(fault.name) < MOST_VOID + report.times(fault.name)) {
        await world.whole();
        return null;
      }
    } else report.addFailed(seed, fault.name);
  }
  const kept = await world.keep(`seed-${seed}`, evidence(traffic, broken));
  return `seed ${seed}, ${fault.name}: ${failure}\nagain: ${again}\nlogs and calls: ${kept}`;
}

/** The commit that is under test; `unknown` outside a clone. */
function buildOf(): string {
  try {
    const git = ['describe', '--always', '--dirty'];
    return execFileSync('git', git, { encoding: 'utf8', stdio: 'pipe' }).trim();
  } catch {
    return 'unknown';
  }
}

/** What to do, or the exit code where there is nothing to. */
function read(args: readonly string[], natsServer: string): Options | number {
  const { values } = parseArgs({
    args: [...args],
    options: {
      minutes: { type: 'string', default: '10' },
      times: { type: 'string', default: 'Infinity' },
      seed: { type: 'string', default: `${Math.floor(Math.random() * 2 ** 31)}` },
      only: { type: 'string', default: '' },
      consumers: { type: 'string', default: '200' },
      scopes: { type: 'string', default: '50' },
      output: { type: 'string', short: 'o', default: 'text' },
      book: { type: 'string' },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const exact = FAULTS.filter(({ name }) => name === values.only);
  const faults = exact.length > 0 ? exact : FAULTS.filter(({ name }) => name.includes(values.only));
  if (values.help || values.list || faults.length === 0) {
    const list = FAULTS.map(({ name, does }) => `${name}: ${does}`).join('\n');
    console.log(values.help ? CHAOS : list);
    if (faults.length === 0) console.error(`--only ${values.only}: no fault has this in its name`);
    return values.help || values.list ? 0 : 2;
  }
  for (const name of ['minutes', 'times', 'seed', 'consumers', 'scopes'] as const) {
    const least = name === 'consumers' || name === 'seed' ? 0 : Number.MIN_VALUE;
    if (Number(values[name]) >= least) continue;
    console.error(`--${name} is a number above 0, not ${values[name]}`);
    return 2;
  }
  return {
    until: performance.now() + Number(values.minutes) * 60_000,
    times: Number(values.times),
    seed: Number(values.seed),
    faults,
    consumers: Number(values.consumers),
    scopes: Number(values.scopes),
    json: values.output === 'json',
    book: values.book ?? null,
    natsServer,
  };
}
