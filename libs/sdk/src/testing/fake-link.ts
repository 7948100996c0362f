import type { Link, LinkMessage, LinkState } from '../ports.js';

/** A NATS that lives in the test: streams are maps, the state is set by hand. */
export class FakeLink implements Link {
  state: LinkState = 'connecting';
  trouble: string | null = null;
  /** `stream subject` to the message's text. */
  readonly stored = new Map<string, string>();
  readonly published: { readonly subject: string; readonly message: unknown }[] = [];
  readonly requested: { readonly subject: string; readonly message: unknown }[] = [];
  readonly reads: string[] = [];
  respond: (subject: string, message: unknown) => unknown = () => {
    throw new Error('no responders');
  };
  flushes: () => Promise<void> = () => Promise.resolve();
  closes: () => Promise<void> = () => Promise.resolve();
  readonly #states = new Set<(state: LinkState) => void>();
  readonly #subscriptions = new Set<{ subject: string; onMessage: (data: Uint8Array) => void }>();

  become(state: LinkState): void {
    this.state = state;
    for (const listener of [...this.#states]) listener(state);
  }

  get subjects(): readonly string[] {
    return [...this.#subscriptions].map(({ subject }) => subject);
  }

  get listeners(): number {
    return this.#states.size;
  }

  /** Delivers a message as a publisher would. */
  deliver(subject: string, message: unknown): void {
    const text = typeof message === 'string' ? message : JSON.stringify(message);
    for (const each of [...this.#subscriptions]) {
      if (each.subject === subject) each.onMessage(Buffer.from(text));
    }
  }

  onState(listener: (state: LinkState) => void): () => void {
    this.#states.add(listener);
    return () => void this.#states.delete(listener);
  }

  onProblem(): void {
    // A fake has none of its own.
  }

  subscribe(subject: string, onMessage: (data: Uint8Array) => void): () => void {
    const entry = { subject, onMessage };
    this.#subscriptions.add(entry);
    return () => void this.#subscriptions.delete(entry);
  }

  async flush(): Promise<void> {
    this.#demandUp();
    return this.flushes();
  }

  async directGet(stream: string, subject: string): Promise<LinkMessage | undefined> {
    this.#demandUp();
    this.reads.push(`${stream} ${subject}`);
    const text = this.stored.get(`${stream} ${subject}`);
    return text === undefined ? undefined : { data: Buffer.from(text), header: () => '' };
  }

  async request(subject: string, payload: string): Promise<Uint8Array> {
    this.#demandUp();
    const message: unknown = JSON.parse(payload);
    this.requested.push({ subject, message });
    return Buffer.from(JSON.stringify(this.respond(subject, message)));
  }

  publish(subject: string, payload: string): boolean {
    if (this.state !== 'up') return false;
    this.published.push({ subject, message: JSON.parse(payload) as unknown });
    return true;
  }

  async close(): Promise<void> {
    this.state = 'closed';
    return this.closes();
  }

  #demandUp(): void {
    if (this.state !== 'up') throw new Error('not connected');
  }
}
