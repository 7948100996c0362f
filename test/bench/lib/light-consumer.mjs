import { cohortOf } from '@pawl/contracts';

const HELLO_MS = 5_000;
const ACK_WINDOW_MS = 250;
/** A hello that an owner with too much to do has dropped is said again soon. */
const REPLY_MS = 5_000;
const AGAIN_MS = 500;
/** Of the time to answer a preflight in, what sending may take for who is not asked by name. */
const SENDING_PART = 1 / 4;

/**
 * A consumer that says on the wire what the SDK says, and keeps next to nothing: heartbeats, acks, and
 * votes about documents that messages carry. Many share a connection; each has its own subscriptions.
 */
export class LightConsumer {
  /** Snapshots that it took up after the first. */
  applied = 0;
  /** It says nothing by itself: neither heartbeats nor acks. */
  isQuiet = false;
  /** Those that heartbeats tell of, under what runs. */
  requests = 0;
  #of;
  #run = null;
  #releases = [];
  #slot = null;
  #intervalMs = HELLO_MS;
  #timers = new Set();
  #subscriptions = [];
  #span = 1;
  #closed = false;

  /**
   * @param {object} of
   * @param {import('@nats-io/transport-node').NatsConnection} of.connection
   * @param {string} of.address without a document's name
   * @param {string} of.consumerId
   * @param {string} [of.build]
   * @param {(document: object) => void} [of.validate] throws for what it rejects
   */
  constructor(of) {
    this.#of = of;
  }

  get version() {
    return this.#run?.version ?? 0;
  }

  get slot() {
    return this.#slot;
  }

  /** Subscribes, and is known to the owner when it resolves. */
  async start() {
    const { connection, address } = this.#of;
    const tail = `${address.replaceAll('/', '.')}.config`;
    this.#subscriptions = [
      connection.subscribe(`pawl.main.prepare.${tail}`, {
        callback: (_, message) => this.#asked(parsed(message)),
      }),
      connection.subscribe(`pawl.main.push.${tail}`, {
        callback: (_, message) => this.#pushed(parsed(message)),
      }),
    ];
    while (!(await this.hello())) await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    this.#helloLater();
  }

  /** A heartbeat; whether it was answered. */
  async hello() {
    const { connection } = this.#of;
    try {
      const reply = await connection.request(this.#subject('hello'), this.#hello(), {
        timeout: REPLY_MS,
      });
      const { nextHelloMs, slot, newest } = reply.json();
      this.#intervalMs = nextHelloMs;
      this.#slot = slot;
      for (const head of newest) this.#take(head, []);
      return true;
    } catch {
      return false;
    }
  }

  /** Tells what it runs. */
  ack() {
    const { connection, address } = this.#of;
    const { generation, version, hash } = this.#run;
    const item = {
      address,
      generation,
      version,
      hash,
      ...this.#cohort(),
      state: 'applied',
      ageMs: 1,
    };
    const ack = { format: 1, incarnation: this.#incarnation, items: [item] };
    connection.publish(this.#subject('ack'), JSON.stringify(ack));
  }

  /** Says goodbye. */
  close() {
    this.#closed = true;
    for (const timer of this.#timers) clearTimeout(timer);
    for (const one of this.#subscriptions) one.unsubscribe();
    this.#of.connection.publish(this.#subject('hello'), this.#hello({ leaving: true }));
  }

  get #incarnation() {
    return `of-${this.#of.consumerId}`;
  }

  #subject(kind) {
    const { address, consumerId } = this.#of;
    return `pawl.main.${kind}.${address.split('/')[0]}.bench.${consumerId}`;
  }

  #cohort() {
    const cohort = cohortOf(this.#releases, { workload: 'bench', slot: this.#slot, labels: {} });
    return cohort === '' ? {} : { cohort };
  }

  #hello(more = {}) {
    const { address, build } = this.#of;
    const { generation, version } = this.#run ?? { generation: 0, version: 0 };
    const reported = {
      ...{ span: this.#span, generation, version, ...this.#cohort() },
      ...{ requests: this.requests, errors: 0, latency: [0, 0, this.requests] },
    };
    const health = this.requests === 0 || version === 0 ? {} : { health: [reported] };
    const run = { address, generation, version, ...this.#cohort(), ...health };
    return JSON.stringify({
      ...{ format: 1, incarnation: this.#incarnation, labels: {}, runs: [run] },
      ...(build === undefined ? {} : { build }),
      ...(this.#slot === null ? {} : { slot: this.#slot }),
      ...more,
    });
  }

  #helloLater() {
    this.#after(this.#intervalMs * (0.9 + 0.2 * Math.random()), async () => {
      if (!this.isQuiet) await this.hello();
      this.#helloLater();
    });
  }

  #pushed({ generation, version, hash, snapshot }) {
    this.#take({ generation, version, hash }, snapshot?.releases ?? []);
  }

  #take(head, releases) {
    if (head.version <= this.version) return;
    if (this.#run !== null) this.applied += 1;
    this.#run = head;
    this.#releases = releases;
    this.#span += 1;
    this.requests = 0;
    if (this.isQuiet) return;
    this.#after(ACK_WINDOW_MS * (0.4 + 0.6 * Math.random()), () => this.ack());
  }

  #asked(prepare) {
    if (!this.#isForUs(prepare)) return;
    const { id, address, hash, deadlineMs, only } = prepare;
    const windowMs = ACK_WINDOW_MS * Math.max(1, this.#intervalMs / HELLO_MS);
    const withinMs = only === undefined ? Math.min(windowMs, deadlineMs * SENDING_PART) : 0;
    const vote = {
      ...{ format: 1, incarnation: this.#incarnation },
      items: [{ id, address, hash, ...this.#judge(prepare) }],
    };
    this.#after(withinMs * Math.random(), () =>
      this.#of.connection.publish(this.#subject('vote'), JSON.stringify(vote)),
    );
  }

  #isForUs({ workload, only, cohorts, kinds }) {
    if (workload !== undefined && workload !== 'bench') return false;
    if (only !== undefined && !only.includes(this.#incarnation)) return false;
    if (cohorts !== undefined && !cohorts.includes(this.#cohort().cohort ?? '')) return false;
    const { build } = this.#of;
    return kinds?.some((kind) => kind.workload === 'bench' && kind.build === build) ?? true;
  }

  #judge({ inline, absent }) {
    if (absent) return { verdict: 'accept' };
    if (inline === undefined) return { verdict: 'cannot-say', reason: 'it has no document' };
    try {
      this.#of.validate?.(inline);
      return { verdict: 'accept' };
    } catch (error) {
      return { verdict: 'reject', reason: error.message };
    }
  }

  #after(ms, work) {
    if (this.#closed) return;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      void work();
    }, ms);
    this.#timers.add(timer);
  }
}

let last = { text: '', value: null };

/** Thousands get the same message: this process, which stands for as many machines, parses it once. */
function parsed(message) {
  const text = message.string();
  if (text !== last.text) last = { text, value: JSON.parse(text) };
  return last.value;
}

/** Starts them in groups: an owner that is asked by all at once lets many wait. */
export async function startLight(consumers) {
  for (let from = 0; from < consumers.length; from += 200) {
    await Promise.all(consumers.slice(from, from + 200).map((one) => one.start()));
  }
}
