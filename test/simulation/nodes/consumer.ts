import { canonicalize, subjectsOf } from '@pawl/contracts';
import type { AddressText, JsonObject } from '@pawl/contracts';
import { sha256 } from '@pawl/contracts/node';
import { ProcessTime } from '../../../libs/metadata/src/testing/process-time.js';
import type { LastKnownGood } from '../../../libs/sdk/src/applier/index.js';
import type { LastKnownGoodStore } from '../../../libs/sdk/src/ports.js';
import { PawlClient } from '../../../libs/sdk/src/session/pawl-client.js';
import type { Ledger } from './ledger.js';
import { SimulatedLink } from './simulated-link.js';
import type { NatsConnection, SimulatedNats } from './simulated-nats.js';
import type { Violations } from './violations.js';
import type { Wire } from './wire.js';

const OPEN_AGAIN_MS = 500;

interface ConsumerOptions {
  readonly id: string;
  readonly address: AddressText;
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
  /** Highest version that any process of this consumer ran. */
  highest = 0;
  #disk: LastKnownGood | null = null;
  /** What this process kept, by version: it runs none that it did not keep. */
  readonly #kept = new Map<number, LastKnownGood>();
  #starts = 0;
  #runs = false;

  constructor(private readonly options: ConsumerOptions) {
    this.id = options.id;
    this.address = options.address;
  }

  get isRunning(): boolean {
    return this.#runs;
  }

  start(): void {
    const { wire, nats, installation } = this.options;
    this.#runs = true;
    this.#starts += 1;
    this.incarnation = `${this.id}.${this.#starts}`;
    this.time = new ProcessTime(wire.time);
    this.connection = nats.connect(this.time);
    this.running = null;
    this.#kept.clear();
    const subjects = subjectsOf(installation);
    const client = new PawlClient(
      {
        installation,
        subjects,
        identity: {
          consumerId: this.id,
          incarnation: this.incarnation,
          labels: {},
          build: undefined,
        },
        workload: 'service',
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
        link: new SimulatedLink(nats, this.connection, subjects.snapshotStream),
        cache: Promise.resolve(this),
      },
    );
    this.#open(client, this.#starts);
  }

  kill(): void {
    this.#runs = false;
    this.time.end();
    this.options.nats.forget(this.connection);
  }

  load: LastKnownGoodStore['load'] = () => {
    if (this.#disk !== null) this.#kept.set(this.#disk.head.version, this.#disk);
    return Promise.resolve(this.#disk ?? undefined);
  };

  save: LastKnownGoodStore['save'] = (record) => {
    this.#disk = record;
    this.#kept.set(record.head.version, record);
    return Promise.resolve();
  };

  close: LastKnownGoodStore['close'] = () => Promise.resolve();

  #open(client: PawlClient, start: number): void {
    client.open(this.address).then(
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
    if (this.running?.head.hash === head.hash) return;
    this.#checkForward(judge, who, record);
    const at = `${this.address} ${head.generation}.${head.version}`;
    const stored = ledger.wasStored(at, head.hash);
    judge.demand(stored !== undefined, `${who} runs what was published (I7)`);
    const { text, document: expected } = stored ?? { text: '', document: null };
    judge.demand(content.text === text, `${who} runs what the inputs of ${version} give (I3, I7)`);
    if (expected !== null && document !== undefined) {
      judge.demand(canonicalize(document) === text, `${who} reads what it runs (I7)`);
    }
    this.running = record;
    this.ran.set(this.incarnation, Math.max(version, this.ran.get(this.incarnation) ?? 0));
    this.highest = Math.max(this.highest, version);
    this.options.applied(this, version);
  }

  #checkForward(judge: Violations, who: string, next: LastKnownGood): void {
    const now = this.running?.head;
    if (now === undefined) return;
    const { generation, version } = next.head;
    const isHigher =
      generation > now.generation || (generation === now.generation && version > now.version);
    judge.demand(
      isHigher,
      `${who} goes from ${now.generation}.${now.version} to ${generation}.${version} (I6)`,
    );
    if (generation > now.generation) return;
    for (const before of now.inputs) {
      const after = next.head.inputs.find(({ address }) => address === before.address);
      const fell = (after?.definitionVersion ?? 0) < (before.definitionVersion ?? 0);
      const said = (after?.loweredAt ?? 0) > before.releaseVersion;
      judge.demand(!fell || said, `${who} goes down at ${before.address} only when told so (I6)`);
    }
  }
}
