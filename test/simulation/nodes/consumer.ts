import { canonicalize, subjectsOf } from '@pawl/contracts';
import type {
  AddressText,
  HeldSnapshot,
  HelloReply,
  JsonObject,
  SnapshotRelease,
} from '@pawl/contracts';
import { sha256 } from '@pawl/contracts/node';
import { ProcessTime } from '../../../libs/metadata/src/testing/process-time.js';
import type { LastKnownGood } from '../../../libs/sdk/src/applier/index.js';
import type { LastKnownGoodStore } from '../../../libs/sdk/src/ports.js';
import { PawlClient } from '../../../libs/sdk/src/session/pawl-client.js';
import { cohortKeyOf, makesTrouble } from './cohort-rules.js';
import type { Who } from './cohort-rules.js';
import type { Ledger } from './ledger.js';
import { SimulatedLink } from './simulated-link.js';
import type { NatsConnection, SimulatedNats } from './simulated-nats.js';
import type { Violations } from './violations.js';
import type { Wire } from './wire.js';

const OPEN_AGAIN_MS = 500;
/** So long after its start, or what was done to it, its owner has heard it again. */
export const SETTLED_MS = 2_500;

/** What sets a consumer apart from others. */
export interface Temper {
  readonly workload: string;
  readonly labels: Readonly<Record<string, string>>;
  /** It rejects documents that name this as their trouble; null: none. */
  readonly trouble: number | null;
}

const EVEN: Temper = { workload: 'service', labels: {}, trouble: null };

interface ConsumerOptions {
  readonly id: string;
  readonly address: AddressText;
  /** Read at each start. */
  readonly temper?: () => Temper;
  readonly installation: string;
  readonly nats: SimulatedNats;
  readonly wire: Wire;
  readonly ledger: Ledger;
  readonly judge: Violations;
  readonly reached: (what: string) => void;
  readonly applied: (consumer: SimulatedConsumer, version: number) => void;
}

/**
 * One instance of a service with the SDK's whole client: a process that can be killed and paused,
 * with a disk. Checks what it is made to run (I6, I7).
 */
export class SimulatedConsumer implements LastKnownGoodStore {
  readonly id: string;
  readonly address: AddressText;
  time!: ProcessTime;
  connection!: NatsConnection;
  /** The one that runs now is what `running` was last set to by `incarnation`. */
  incarnation = '';
  /** What this process runs; null: nothing yet. */
  running: LastKnownGood | null = null;
  /** Highest version that each process ran. */
  readonly ran = new Map<string, number>();
  /** What each process ran as which cohort, as `<incarnation> <version> <cohort>`. */
  readonly ranAs = new Set<string>();
  temper: Temper = EVEN;
  /** By the world's clock: until then it may not be heard as it should. */
  harmedUntilMs = 0;
  /** Highest version that any process of this consumer ran. */
  highest = 0;
  #disk: LastKnownGood | null = null;
  /** What this process kept, by version: it runs none that it did not keep. */
  readonly #kept = new Map<number, LastKnownGood>();
  /** What the disk held when this process began. */
  #loaded: LastKnownGood | null = null;
  #client!: PawlClient;
  /** The slots that this process was told, and when. */
  #slots: readonly { readonly slot: number | null; readonly atMs: number }[] = [];
  #token = 0n;
  #starts = 0;
  #runs = false;
  #leaves = false;

  constructor(private readonly options: ConsumerOptions) {
    this.id = options.id;
    this.address = options.address;
  }

  get isRunning(): boolean {
    return this.#runs;
  }

  /** Who it is by what it was told last. */
  get who(): Who {
    const { workload, labels } = this.temper;
    return { workload, labels, slot: this.#slots.at(-1)?.slot ?? null };
  }

  /** Whether its owner hears it. */
  get isHeard(): boolean {
    return this.#runs && this.options.wire.time.monotonicMs() > this.harmedUntilMs;
  }

  /** The key of its cohort among these releases. */
  readonly cohort = (releases: readonly SnapshotRelease[]): string =>
    cohortKeyOf(releases, this.who);

  /** Whether it rejects a document. */
  refuses(document: JsonObject | null): boolean {
    const { trouble } = this.temper;
    return document !== null && trouble !== null && makesTrouble(document, 'refused', trouble);
  }

  start(): void {
    const { wire, nats, installation, temper } = this.options;
    if (this.#leaves) this.#end();
    this.#runs = true;
    this.temper = temper?.() ?? EVEN;
    this.harmedUntilMs = wire.time.monotonicMs() + SETTLED_MS;
    this.#slots = [];
    this.#token = 0n;
    this.#loaded = null;
    this.#starts += 1;
    this.incarnation = `${this.id}.${this.#starts}`;
    this.time = new ProcessTime(wire.time);
    this.connection = nats.connect(this.time);
    this.running = null;
    this.#kept.clear();
    const subjects = subjectsOf(installation);
    this.#client = new PawlClient(
      {
        installation,
        subjects,
        identity: {
          consumerId: this.id,
          incarnation: this.incarnation,
          labels: this.temper.labels,
          build: undefined,
        },
        workload: this.temper.workload,
        openTimeoutMs: 1_000,
        startTimeoutMs: 5_000,
        validateTimeoutMs: 500,
        staleAfterMs: 10_000,
        ackWindowMs: 100,
      },
      {
        clock: this.time,
        foreground: this.time,
        background: this.time,
        rng: wire.rng,
        sha256,
        link: new SimulatedLink(nats, this.connection, subjects.snapshotStream, this.#leased),
        cache: Promise.resolve(this),
      },
    );
    this.#open(this.#client, this.#starts);
  }

  kill(): void {
    this.#runs = false;
    this.#end();
  }

  /** Stops in order: says goodbye. */
  leave(): void {
    const start = this.#starts;
    this.#runs = false;
    this.#leaves = true;
    this.time.run(() => {
      void this.#client.close().then(() => {
        if (this.#leaves && this.#starts === start) this.#end();
      });
    });
  }

  #end(): void {
    this.#leaves = false;
    this.time.end();
    this.options.nats.forget(this.connection);
  }

  /** As the owner with the highest token says. */
  readonly #leased = (text: string): void => {
    const { fencingToken, slot } = JSON.parse(text) as HelloReply;
    if (BigInt(fencingToken) < this.#token) return;
    this.#token = BigInt(fencingToken);
    this.#slots = [...this.#slots, { slot, atMs: this.time.monotonicMs() }].slice(-2);
  };

  load: LastKnownGoodStore['load'] = () => {
    if (this.#disk !== null) this.#kept.set(this.#disk.head.version, this.#disk);
    this.#loaded = this.#disk;
    return Promise.resolve(this.#disk ?? undefined);
  };

  save: LastKnownGoodStore['save'] = (record) => {
    this.#disk = record;
    this.#kept.set(record.head.version, record);
    const { running } = this;
    // The same, held by who it is now.
    const isSame =
      running?.head.hash === record.head.hash && cohortOf(running) === cohortOf(record);
    if (isSame) this.running = record;
    return Promise.resolve();
  };

  close: LastKnownGoodStore['close'] = () => Promise.resolve();

  #open(client: PawlClient, start: number): void {
    const validate = (document: unknown): void => {
      if (this.refuses(document as JsonObject)) throw new Error('not for me');
    };
    const options = this.temper.trouble === null ? {} : { validate };
    client.open(this.address, options).then(
      (scope) => {
        const look = (): void => {
          if (this.#starts === start) this.#ran(scope.version, scope.current as JsonObject);
        };
        look();
        scope.on('applied', look);
        scope.on('absent', look);
      },
      () => {
        this.options.reached('a consumer found nothing to start with');
        if (this.#starts === start) {
          this.time.after(OPEN_AGAIN_MS, () => this.#open(client, start));
        }
      },
    );
  }

  #ran(version: number, document: JsonObject | undefined): void {
    const record = this.#kept.get(version);
    const who = `${this.incarnation} at ${this.address}`;
    const { judge, ledger } = this.options;
    if (record === undefined) {
      return judge.demand(false, `${who} runs what it kept: ${version} (I7)`);
    }
    const { head, content } = record;
    const key = cohortOf(record);
    const isSame = this.running?.head.hash === head.hash && cohortOf(this.running) === key;
    if (isSame) return;
    const at = `${this.address} ${head.generation}.${head.version}`;
    const stored = ledger.wasStored(at, head.hash);
    this.#checkForward(who, record, stored?.releases ?? []);
    judge.demand(stored !== undefined, `${who} runs what was published (I7)`);
    const wanted = this.#cohorts(record).map((own) => cohortKeyOf(stored?.releases ?? [], own));
    judge.demand(wanted.includes(key), `${who} runs ${version} as a candidate of "${key}" (§4)`);
    const variant = stored?.variants.get(key);
    judge.demand(variant !== undefined, `${who} runs a cohort that ${version} has (I7)`);
    const { text, document: expected } = variant ?? { text: '', document: null };
    judge.demand(content.text === text, `${who} runs what the inputs of ${version} give (I3, I7)`);
    if (expected !== null && document !== undefined) {
      judge.demand(canonicalize(document) === text, `${who} reads what it runs (I7)`);
    }
    judge.demand(!this.refuses(expected), `${who} runs nothing that it rejects (§4)`);
    if (key !== '') this.options.reached('ran a candidate');
    if (cohortOf(this.running) !== '' && key === '')
      this.options.reached('ran no candidate any more');
    if (this.running?.head.hash === head.hash)
      this.options.reached('ran the same as another cohort');
    this.running = record;
    this.ran.set(this.incarnation, Math.max(version, this.ran.get(this.incarnation) ?? 0));
    this.ranAs.add(`${this.incarnation} ${version} ${key}`);
    this.highest = Math.max(this.highest, version);
    this.options.applied(this, version);
  }

  /** Who it may be: as it was told last, just now perhaps; from its disk, as it was then. */
  #cohorts(record: LastKnownGood): readonly Who[] {
    const { identity } = record.head;
    const isUntold = this.#slots.length === 0;
    // What it started with is written again before it is tried.
    const isLoaded = record === this.#loaded || (isUntold && isSameRun(record, this.#loaded));
    if (isLoaded) return [identity ?? { ...this.who, slot: null }];
    const isNews = this.#slots.at(-1)?.atMs === this.time.monotonicMs();
    const disk = this.#loaded?.head.identity;
    const former = disk?.workload === this.temper.workload ? disk.slot : null;
    const slots = isUntold ? [former] : this.#slots.slice(isNews ? 0 : -1).map(({ slot }) => slot);
    if (isNews && this.#slots.length === 1) slots.push(former);
    return slots.map((slot) => ({ ...this.who, slot }));
  }

  #checkForward(who: string, next: LastKnownGood, releases: readonly SnapshotRelease[]): void {
    const { judge } = this.options;
    const now = this.running?.head;
    if (now === undefined) return;
    const { generation, version, hash } = next.head;
    const isOther = !isSameWho(now.identity, next.head.identity);
    const isHigher =
      generation > now.generation || (generation === now.generation && version > now.version);
    const turns = isOther && hash === now.hash && version === now.version;
    judge.demand(
      isHigher || turns,
      `${who} goes from ${now.generation}.${now.version} to ${generation}.${version} (I6)`,
    );
    if (generation > now.generation) return;
    for (const before of now.inputs) {
      const after = next.head.inputs.find(({ address }) => address === before.address);
      const fell = (after?.definitionVersion ?? 0) < (before.definitionVersion ?? 0);
      const said = (after?.loweredAt ?? 0) > before.releaseVersion;
      if (!fell || said) continue;
      const held = cohortOf(this.running).split('+');
      const left = releases.some(
        ({ address, id }) => address === before.address && held.includes(id),
      );
      const what = `${who} goes down at ${before.address} only when told so (I6)`;
      judge.demand(isOther && left, what);
      this.options.reached('left a cohort as another one');
    }
  }
}

function cohortOf(record: LastKnownGood | null): string {
  return record?.head.cohort ?? '';
}

/** Of the same snapshot, held by the same identity. */
function isSameRun({ head }: LastKnownGood, other: LastKnownGood | null): boolean {
  const is = other?.head;
  return is?.hash === head.hash && isSameWho(is.identity, head.identity);
}

function isSameWho(one: HeldSnapshot['identity'], other: HeldSnapshot['identity']): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
