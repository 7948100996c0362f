import type { Revision, RevisionEvents } from '../state/index.js';
import { toEvent } from './kv-response.js';
import type * as rpc from '../etcd-protocol/messages.js';

/** How a watch wants to be told. */
export interface WatchForm {
  readonly prevKv: boolean;
  readonly noPut: boolean;
  readonly noDelete: boolean;
  readonly fragment: boolean;
}

/** The number of the field and its kind: `watch_id`, a variable-length integer. */
const WATCH_ID_TAG = 0x10;

/** A field that makes a response one to this watch, wherever in the message it stands. */
export function watchIdField(id: string): Uint8Array {
  const bytes = [WATCH_ID_TAG];
  let rest = BigInt.asUintN(64, BigInt(id));
  while (rest >= 0x80n) {
    bytes.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return Uint8Array.from(bytes);
}

/**
 * Encodes what watches are told. What one revision changed is encoded once for all that want it in
 * the same form: without the id of the watch, which is appended.
 */
export class WatchEncoder {
  readonly #encoded = new WeakMap<RevisionEvents, Map<number, readonly Uint8Array[]>>();

  constructor(
    private readonly serialize: (response: rpc.Written<rpc.WatchResponse>) => Uint8Array,
    private readonly header: (revision: Revision) => rpc.Written<rpc.ResponseHeader>,
    private readonly fragmentBytes: number,
  ) {}

  /** A response about a watch as a whole. */
  message(response: Omit<rpc.Written<rpc.WatchResponse>, 'events'>): Uint8Array {
    return this.serialize(response);
  }

  /** None when the form leaves out everything; several when they are fragments. */
  events(changes: RevisionEvents, form: WatchForm): readonly Uint8Array[] {
    const key = numberOf(form);
    const known = this.#encoded.get(changes);
    const found = known?.get(key);
    if (found !== undefined) return found;
    const encoded = this.#encode(changes, form);
    if (known === undefined) this.#encoded.set(changes, new Map([[key, encoded]]));
    else known.set(key, encoded);
    return encoded;
  }

  #encode({ revision, events }: RevisionEvents, form: WatchForm): readonly Uint8Array[] {
    const told = events
      .filter(({ kind }) => !(kind === 'put' ? form.noPut : form.noDelete))
      .map((event) => toEvent(event, form.prevKv));
    if (told.length === 0) return [];
    const header = this.header(revision);
    const whole = this.serialize({ header, events: told });
    if (!form.fragment || told.length === 1 || whole.length < this.fragmentBytes) return [whole];
    return this.#fragments(header, told);
  }

  /** Each as large as it may be, or one event; all but the last say that more comes. */
  #fragments(
    header: rpc.Written<rpc.ResponseHeader>,
    events: readonly rpc.Written<rpc.Event>[],
  ): Uint8Array[] {
    const groups: rpc.Written<rpc.Event>[][] = [];
    let bytes = 0;
    for (const event of events) {
      const eventBytes = this.serialize({ header, events: [event] }).length;
      const last = groups.at(-1);
      if (last !== undefined && bytes + eventBytes < this.fragmentBytes) last.push(event);
      else {
        groups.push([event]);
        bytes = 0;
      }
      bytes += eventBytes;
    }
    return groups.map((group, at) =>
      this.serialize({ header, events: group, fragment: at < groups.length - 1 }),
    );
  }
}

function numberOf({ prevKv, noPut, noDelete, fragment }: WatchForm): number {
  return Number(prevKv) + 2 * Number(noPut) + 4 * Number(noDelete) + 8 * Number(fragment);
}
