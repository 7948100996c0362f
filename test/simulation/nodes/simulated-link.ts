import type { Link, LinkMessage, LinkState } from '../../../libs/sdk/src/ports.js';
import type { NatsConnection, SimulatedNats } from './simulated-nats.js';

const REQUEST_MS = 1_000;

/** A consumer's way to the simulated NATS. */
export class SimulatedLink implements Link {
  readonly trouble = null;
  readonly #listeners = new Set<(state: LinkState) => void>();

  constructor(
    private readonly nats: SimulatedNats,
    private readonly connection: NatsConnection,
    private readonly snapshotStream: string,
    /** Told of each answer to a request, before who asked. */
    private readonly answered: (text: string) => void = () => undefined,
  ) {
    connection.onState((state) => {
      if (state === 'rebuilt') return;
      for (const listener of [...this.#listeners]) listener(state);
    });
  }

  get state(): LinkState {
    return this.connection.isUp ? 'up' : 'down';
  }

  onState(listener: (state: LinkState) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  onProblem(): void {
    // A simulated connection has none of its own.
  }

  subscribe(subject: string, onMessage: (data: Uint8Array) => void): () => void {
    return this.connection.subscribe(subject, ({ data }) => onMessage(Buffer.from(data)));
  }

  flush(): Promise<void> {
    return this.connection.call(() => undefined, REQUEST_MS);
  }

  async directGet(stream: string, subject: string): Promise<LinkMessage | undefined> {
    const { snapshots, contents, faults } = this.nats;
    const from = stream === this.snapshotStream ? snapshots : contents;
    const held = await this.connection.call(() => from.direct(subject, faults.lagMs), REQUEST_MS);
    return held && { data: Buffer.from(held.data), header: () => '' };
  }

  async request(subject: string, payload: string): Promise<Uint8Array> {
    const text = await this.connection.request(subject, payload, REQUEST_MS);
    this.answered(text);
    return Buffer.from(text);
  }

  publish(subject: string, payload: string): boolean {
    return this.connection.publish(subject, payload);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
