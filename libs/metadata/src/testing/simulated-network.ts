import type { Rng } from '@pawl/kernel';
import type { Message } from '@pawl/raft/core';
import type { SimulatedTime } from './simulated-time.js';

/** A message between nodes, and the state that a `snapshot` travels with. */
export interface Letter {
  readonly message: Message;
  /** Data folder of the sender. */
  readonly folderId: string;
  readonly state: Uint8Array | null;
}

/** What reaches a node from outside. */
export interface NetworkNode {
  receive(letter: Letter): void;
  /** A `snapshot` message to `to` arrived whole, or was lost. */
  snapshotEnded(to: string, delivered: boolean): void;
  /** `from` null: anybody of the cluster. */
  serve(from: { id: string; folderId: string } | null, body: Uint8Array): Promise<Uint8Array>;
}

export interface NetworkFaults {
  /** Of one way, by chance between these. */
  minDelayMs: number;
  maxDelayMs: number;
  /** Share of messages that are lost, and that arrive twice; requests are lost only. */
  loss: number;
  duplication: number;
}

/** Carries messages and requests between the nodes of one process; chance and time are the test's. */
export class SimulatedNetwork {
  readonly faults: NetworkFaults = { minDelayMs: 1, maxDelayMs: 2, loss: 0, duplication: 0 };
  readonly #nodes = new Map<string, NetworkNode>();
  readonly #cut = new Set<string>();

  constructor(
    private readonly time: SimulatedTime,
    private readonly rng: Rng,
  ) {}

  /** From now on this is the node of that id; null: nobody is. */
  attach(id: string, node: NetworkNode | null): void {
    if (node === null) this.#nodes.delete(id);
    else this.#nodes.set(id, node);
  }

  /** What `from` says does not reach `to`. */
  cut(from: string, to: string): void {
    this.#cut.add(`${from}>${to}`);
  }

  /** Cuts a node off from all others, both ways. */
  isolate(id: string, others: Iterable<string> = this.#nodes.keys()): void {
    for (const other of others) {
      if (other === id) continue;
      this.cut(id, other);
      this.cut(other, id);
    }
  }

  heal(): void {
    this.#cut.clear();
  }

  send(letter: Letter): void {
    const { from, to, type } = letter.message;
    const copies = this.rng.next() < this.faults.duplication ? 2 : 1;
    for (let copy = 0; copy < copies; copy += 1) {
      this.#carry(from, to, (arrived) => {
        if (arrived) this.#nodes.get(to)?.receive(letter);
        if (type === 'snapshot') this.#nodes.get(from)?.snapshotEnded(to, arrived);
      });
    }
  }

  /**
   * Never settles when the request or its answer is lost: the caller has a deadline. Without a folder
   * it is from anybody.
   */
  request(
    from: { readonly id: string; readonly folderId: string | null },
    to: string,
    body: Uint8Array,
  ): Promise<Uint8Array> {
    const { id, folderId } = from;
    const asker = folderId === null ? null : { id, folderId };
    return new Promise((resolve, reject) => {
      this.#carry(id, to, (arrived) => {
        const node = this.#nodes.get(to);
        if (!arrived || node === undefined) return;
        const back = (deliver: () => void): void => {
          this.#carry(to, id, (returned) => {
            if (returned) deliver();
          });
        };
        node.serve(asker, body).then(
          (answer) => back(() => resolve(answer)),
          (error: unknown) => back(() => reject(new Error(`${to} refuses: ${String(error)}`))),
        );
      });
    });
  }

  #carry(from: string, to: string, deliver: (arrived: boolean) => void): void {
    const { minDelayMs, maxDelayMs, loss } = this.faults;
    const delayMs = minDelayMs + this.rng.next() * (maxDelayMs - minDelayMs);
    const lost = this.rng.next() < loss;
    this.time.after(delayMs, () => {
      const cut = this.#cut.has(`${from}>${to}`);
      deliver(!lost && !cut && this.#nodes.has(to));
    });
  }
}
