import type { ClientDuplexStream } from '@grpc/grpc-js';
import type * as rpc from '../../libs/metadata/src/etcd-protocol/messages.js';
import { eventually } from '../support/eventually.js';
import type { WatchCreate } from './random-wire.js';
import { common } from './wire-server.js';
import type { WireServer } from './wire-server.js';

type Stream = ClientDuplexStream<object, rpc.WatchResponse>;

/** What one watch was told, but for how it was parted into answers. */
interface Told {
  /** Answers without events, in their order: that it was made, how far it is, that it ended. */
  readonly answers: unknown[];
  events: rpc.Event[];
  /** Newest revision that it was told of. */
  last: number;
  ended: boolean;
}

/** A stream of watches on one server. */
class WatchRecorder {
  readonly told = new Map<string, Told>();
  /** Answers to what was asked: all but events. */
  answers = 0;
  failure: unknown = null;
  readonly stream: Stream;

  constructor(server: WireServer) {
    this.stream = server.watch();
    this.stream.on('error', (error) => {
      this.failure = error;
    });
    this.stream.on('data', (response: rpc.WatchResponse) => this.#record(response));
  }

  of(id: string): Told {
    let told = this.told.get(id);
    if (told === undefined) {
      told = { answers: [], events: [], last: 0, ended: false };
      this.told.set(id, told);
    }
    return told;
  }

  #record(response: rpc.WatchResponse): void {
    const told = this.of(response.watch_id);
    if (response.events.length > 0) {
      told.events.push(...response.events);
      told.last = Number(response.events.at(-1)?.kv.mod_revision);
      return;
    }
    told.answers.push(common(response));
    told.ended = response.canceled;
    // One that ends because of a compaction was not asked to.
    if (response.compact_revision === '0') this.answers += 1;
  }
}

/** The same stream of watches on both servers. */
export class WireWatches {
  readonly #ours: WatchRecorder;
  readonly #theirs: WatchRecorder;
  readonly #made = new Map<string, WatchCreate>();
  /** Numbers of watches that begin before the compaction revision. */
  readonly #doomed = new Set<string>();
  #asked = 0;
  #compactRevision: number;

  constructor(ours: WireServer, theirs: WireServer, compactRevision: number) {
    this.#ours = new WatchRecorder(ours);
    this.#theirs = new WatchRecorder(theirs);
    this.#compactRevision = compactRevision;
  }

  /** Asks both, and waits for their answers. */
  async create(wanted: WatchCreate): Promise<void> {
    // etcd never gives away again the number of a watch that a compaction ended.
    const taken = this.#doomed.has(wanted.watch_id);
    const request = { ...wanted, ...(taken && { watch_id: '0' }) };
    const before = new Set(this.#theirs.told.keys());
    await this.#ask({ create_request: request });
    const id = [...this.#theirs.told.keys()].find((key) => !before.has(key));
    if (id === undefined || id === '-1') return;
    this.#made.set(id, request);
    if (!this.#lasts(request)) this.#doomed.add(id);
  }

  /** How much of what was there before a watch was told before it ended is chance. */
  async cancel(id: string): Promise<void> {
    const known = this.#theirs.told.get(id)?.ended === false;
    await this.#ask({ cancel_request: { watch_id: id } }, known);
    this.#made.delete(id);
    for (const recorder of [this.#ours, this.#theirs]) recorder.told.get(id)?.events.splice(0);
  }

  async progress(): Promise<void> {
    await this.#ask({ progress_request: {} });
  }

  /** Of watches that go on until they are cancelled. */
  get lasting(): readonly string[] {
    return [...this.#made.keys()].filter((id) => !this.#doomed.has(id));
  }

  /** What was asked for, by the numbers of the watches. */
  get requests(): object {
    return Object.fromEntries(this.#made);
  }

  /** What each was told since the last time, once both were told all up to the newest marks. */
  async upTo(marks: { readonly put: number; readonly deletion: number }): Promise<{
    readonly ours: unknown;
    readonly theirs: unknown;
  }> {
    await eventually(() => {
      for (const [id, { start_revision, filters }] of this.#made) {
        const mark = !filters.includes(0) ? marks.put : filters.includes(1) ? 0 : marks.deletion;
        if (Number(start_revision) > mark) continue;
        for (const recorder of [this.#ours, this.#theirs]) {
          const { last, ended } = recorder.of(id);
          if (!ended && last < mark) throw new Error(`watch ${id} is behind`);
        }
      }
    }).catch(() => undefined);
    const both = { ours: this.#take(this.#ours), theirs: this.#take(this.#theirs) };
    for (const id of this.#made.keys()) if (this.#theirs.of(id).ended) this.#made.delete(id);
    return both;
  }

  close(): void {
    this.#ours.stream.cancel();
    this.#theirs.stream.cancel();
  }

  #take(recorder: WatchRecorder): unknown {
    const told: Record<string, unknown> = { failure: recorder.failure };
    for (const [id, one] of recorder.told) {
      told[id] = { answers: one.answers, events: this.#kept(one.events) };
      one.events = [];
    }
    return told;
  }

  /**
   * What etcd 3.4 is sure to have of the compaction revision: of each key what it became last there,
   * and no deletion (etcd issue 19179, mended in 3.4.36). It drops the rest some time after it has
   * answered the compaction, and tells it until then.
   */
  #kept(events: readonly rpc.Event[]): readonly rpc.Event[] {
    const at = `${this.#compactRevision}`;
    const name = ({ kv }: rpc.Event) => Buffer.from(kv.key).toString('hex');
    const newest = new Map(
      events.filter(({ kv }) => kv.mod_revision === at).map((event) => [name(event), event]),
    );
    return events.filter(
      (event) =>
        event.kv.mod_revision !== at || (event.type === 0 && newest.get(name(event)) === event),
    );
  }

  #lasts({ start_revision: start }: WatchCreate): boolean {
    return start === '0' || Number(start) >= this.#compactRevision;
  }

  async #ask(request: object, answered = true): Promise<void> {
    this.#asked += answered ? 1 : 0;
    const recorders = [this.#ours, this.#theirs];
    for (const { stream } of recorders) stream.write(request);
    await eventually(() => {
      if (recorders.some(({ answers }) => answers < this.#asked)) throw new Error('not answered');
    }).catch(() => undefined);
  }
}
