import { brotliCompressSync, constants } from 'node:zlib';
import { DiscardPolicy, jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect, headers } from '@nats-io/transport-node';
import type { NatsConnection } from '@nats-io/transport-node';
import {
  address,
  canonicalize,
  COMPRESS_ABOVE_BYTES,
  CONTENT_ENCODING_BROTLI,
  CONTENT_ENCODING_HEADER,
  LIMITS,
  subjectsOf,
} from '@pawl/contracts';
import type { Ack, AckItem, Hello, HelloReply, Push, Snapshot } from '@pawl/contracts';
import { sha256 } from '@pawl/contracts/node';
import { INSTALLATION, makeSnapshot } from './make-snapshot.js';
import type { SnapshotRecipe } from './make-snapshot.js';

export const SUBJECTS = subjectsOf('main');

/** A control plane as small as can be: publishes snapshots, answers heartbeats, collects acks. */
export class TinyOwner {
  readonly acks: AckItem[] = [];
  readonly hellos: Hello[] = [];
  readonly newest = new Map<string, HelloReply['newest'][number]>();
  nextHelloMs = 200;
  slot: number | null = 0;
  answers = true;
  #changed: (() => void)[] = [];

  private constructor(readonly connection: NatsConnection) {}

  static async start(servers: string): Promise<TinyOwner> {
    const owner = new TinyOwner(
      await connect({ servers, maxReconnectAttempts: -1, reconnectTimeWait: 50 }),
    );
    await owner.#makeStreams();
    owner.connection.subscribe('pawl.main.hello.>', {
      callback: (_, message) => {
        owner.hellos.push(message.json<Hello>());
        if (owner.answers) message.respond(JSON.stringify(owner.#reply()));
        owner.#notify();
      },
    });
    owner.connection.subscribe('pawl.main.ack.>', {
      callback: (_, message) => {
        owner.acks.push(...message.json<Ack>().items);
        owner.#notify();
      },
    });
    await owner.connection.flush();
    return owner;
  }

  /** Resolves once the server that was started again is reached. */
  async reconnected(): Promise<void> {
    for (;;) {
      try {
        return await this.connection.flush();
      } catch {
        // The client rejects what waits each time it dials.
      }
    }
  }

  /** Resolves once `condition` holds; it is looked at after every message from a consumer. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#changed.push(resolve));
  }

  /** Content, snapshot and push in their order; the push only when asked for. */
  async publish(recipe: SnapshotRecipe, push: 'push' | 'missed' = 'push'): Promise<Snapshot> {
    const { document = { version: recipe.version }, cohorts = {} } = recipe;
    const texts = [document, ...Object.values(cohorts)]
      .filter((each) => each !== null)
      .map(canonicalize);
    const byHash = texts.some((text) => Buffer.byteLength(text) > LIMITS.inlineBytes);
    const snapshot = makeSnapshot({ ...recipe, byHash });
    if (byHash) for (const text of new Set(texts)) await this.storeContent(text);
    await this.storeSnapshot(snapshot);
    const { address: at, generation, version, hash } = snapshot;
    this.newest.set(at, { address: at, generation, version, hash });
    if (push === 'push') this.push(snapshot, !byHash);
    return snapshot;
  }

  async storeContent(text: string): Promise<void> {
    const subject = SUBJECTS.content('acme', sha256(text));
    const plain = Buffer.from(text);
    if (plain.length <= COMPRESS_ABOVE_BYTES) return void (await this.#store(subject, plain));
    const encoding = headers();
    encoding.set(CONTENT_ENCODING_HEADER, CONTENT_ENCODING_BROTLI);
    await jetstream(this.connection).publish(
      subject,
      brotliCompressSync(plain, { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } }),
      {
        headers: encoding,
      },
    );
  }

  async storeSnapshot(snapshot: Snapshot): Promise<void> {
    await this.#store(SUBJECTS.snapshot(address(snapshot.address)), JSON.stringify(snapshot));
  }

  push(snapshot: Snapshot, carry: boolean): void {
    const { address: at, generation, version, hash } = snapshot;
    const carried = carry ? { snapshot: snapshot as never } : {};
    const push: Push = { format: 1, address: at, generation, version, hash, ...carried };
    this.connection.publish(SUBJECTS.push(address(at)), JSON.stringify(push));
  }

  async #store(subject: string, data: Uint8Array | string): Promise<void> {
    await jetstream(this.connection).publish(subject, data);
  }

  #reply(): HelloReply {
    const { nextHelloMs, slot } = this;
    const newest = [...this.newest.values()];
    return {
      format: 1,
      installation: INSTALLATION,
      fencingToken: '1',
      nextHelloMs,
      slot,
      newest,
    };
  }

  #notify(): void {
    const waiting = this.#changed;
    this.#changed = [];
    for (const resolve of waiting) resolve();
  }

  async #makeStreams(): Promise<void> {
    const manager = await jetstreamManager(this.connection);
    const shared = { discard: DiscardPolicy.New, max_msgs_per_subject: 1, allow_direct: true };
    const streams = [
      { name: SUBJECTS.snapshotStream, subjects: [SUBJECTS.allSnapshots] },
      { name: SUBJECTS.contentStream, subjects: [SUBJECTS.allContents] },
    ];
    for (const stream of streams) await manager.streams.add({ ...shared, ...stream });
  }
}
