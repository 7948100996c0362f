/** What happens to what one node sends another. */
export type LinkState =
  | { readonly kind: 'open' }
  /** Nothing arrives until it is open again; then what was sent does, late. */
  | { readonly kind: 'stalled' }
  /** Connections are broken, new ones are refused. */
  | { readonly kind: 'broken' }
  /** Each piece arrives later by so much, and up to `jitterMs` more. */
  | { readonly kind: 'slow'; readonly delayMs: number; readonly jitterMs: number }
  | { readonly kind: 'narrow'; readonly bytesPerSecond: number };

export const OPEN: LinkState = { kind: 'open' };
export const STALLED: LinkState = { kind: 'stalled' };
export const BROKEN: LinkState = { kind: 'broken' };

/** The states of all links, by the names of the nodes they lead from and to. */
export class Links {
  private readonly states = new Map<string, LinkState>();
  private readonly listeners = new Set<() => void>();

  get(from: string, to: string): LinkState {
    return this.states.get(`${from} ${to}`) ?? OPEN;
  }

  set(from: string, to: string, state: LinkState): void {
    this.states.set(`${from} ${to}`, state);
    this.changed();
  }

  heal(): void {
    this.states.clear();
    this.changed();
  }

  /** Tells of every change until the answer is called. */
  onChange(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  private changed(): void {
    for (const listener of [...this.listeners]) listener();
  }
}
