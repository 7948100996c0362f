import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

/** Seconds, from a quarter of a millisecond to a minute. */
const DURATION_BUCKETS = [
  0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
  60,
];

export interface MetricOptions<L extends string> {
  readonly name: string;
  readonly help: string;
  readonly labels?: readonly L[];
}

/** One registry per application, so that two in one process do not mix. */
export class Metrics {
  readonly registry = new Registry();
  readonly contentType = this.registry.contentType;

  /** Memory, CPU, event loop and garbage collection of this process, as prom-client names them. */
  observeProcess(): void {
    collectDefaultMetrics({ register: this.registry });
  }

  /** In seconds. */
  durations<L extends string = never>(options: MetricOptions<L>): Histogram<L> {
    return new Histogram({
      ...this.#common(options),
      buckets: DURATION_BUCKETS,
    });
  }

  counter<L extends string = never>(options: MetricOptions<L>): Counter<L> {
    return new Counter(this.#common(options));
  }

  /** Reads its value whenever the metrics are asked for. */
  gauge(options: MetricOptions<never>, read: () => number): Gauge {
    return new Gauge({
      ...this.#common(options),
      collect() {
        this.set(read());
      },
    });
  }

  /** Reads all its series whenever the metrics are asked for; those not read are gone. */
  gauges<L extends string>(
    options: MetricOptions<L>,
    read: () => Iterable<{ readonly labels: Record<L, string>; readonly value: number }>,
  ): Gauge<L> {
    return new Gauge<L>({
      ...this.#common(options),
      collect() {
        this.reset();
        for (const { labels, value } of read()) this.set(labels, value);
      },
    });
  }

  /** The text format of Prometheus. */
  text(): Promise<string> {
    return this.registry.metrics();
  }

  #common<L extends string>({
    name,
    help,
    labels = [],
  }: MetricOptions<L>): {
    name: string;
    help: string;
    labelNames: L[];
    registers: Registry[];
  } {
    return { name, help, labelNames: [...labels], registers: [this.registry] };
  }
}
