import { FORMAT, parseAddress, isHigher } from '@pawl/contracts';
import type { Ack, Address, AddressText, Hello, HelloReply, HelloRun } from '@pawl/contracts';
import type { ConsumerRef } from '../config-engine.js';
import { installationText } from '../engine-context.js';
import type { EngineContext } from '../engine-context.js';
import type { Publication } from '../publication/publication.js';
import { newNode } from '../sharding/build-nodes.js';
import type { OwnedRoot } from '../sharding/owned-shard.js';
import { NO_CHANGES } from '../sharding/truth-store.port.js';
import type { CommandRunner, Prepared } from '../sharding/run-command.js';
import type { PublishedSnapshot } from '../sharding/root-tree.js';
import type { ShardRegistry } from '../sharding/shard-registry.js';
import type { RolloutWatchers } from './rollout-watchers.js';

/** Heartbeats and acks: what consumers say, and what they are told. */
export class ConsumerTraffic {
  readonly #opening = new Set<AddressText>();

  readonly #shards: ShardRegistry;
  readonly #commands: CommandRunner;
  readonly #publication: Publication;
  readonly #watchers: RolloutWatchers;
  readonly #rejected: (root: OwnedRoot) => void;

  constructor(
    private readonly context: EngineContext,
    parts: {
      readonly shards: ShardRegistry;
      readonly commands: CommandRunner;
      readonly publication: Publication;
      readonly watchers: RolloutWatchers;
      /** Told when a candidate of some release rejects something. */
      readonly rejected: (root: OwnedRoot) => void;
    },
  ) {
    this.#shards = parts.shards;
    this.#commands = parts.commands;
    this.#publication = parts.publication;
    this.#watchers = parts.watchers;
    this.#rejected = parts.rejected;
  }

  async hello(from: ConsumerRef, hello: Hello): Promise<HelloReply | undefined> {
    const shard = this.#shards.shardOf(from.root);
    if (shard === undefined) return undefined;
    const runs = hello.runs.filter((run) => isUnder(run.address, from.root));
    const incarnation = shard.consumers.hello(from, { ...hello, runs });
    const newest: HelloReply['newest'][number][] = [];
    for (const run of runs) {
      const parsed = parseAddress(run.address);
      if (!parsed.ok) continue;
      const place = this.#shards.findPublished(parsed.address);
      if (place === undefined) {
        void this.#open(parsed.address);
        continue;
      }
      this.#watchers.changed(parsed.address.text);
      place.node.lastConsumerMs = this.context.clock.monotonicMs();
      const { published } = place.node;
      if (published === null) continue;
      const { generation, version, hash } = published;
      shard.consumers.journal.published(parsed.address.text, published);
      newest.push({ address: parsed.address.text, generation, version, hash });
      if (place.root.uncertain) continue;
      if (isHigher(run, published) || this.#isMissing(run, published, shard.consumers.intervalMs)) {
        this.#publication.enqueue(place.root, place.node);
      }
    }
    return {
      format: FORMAT,
      installation: installationText(this.context.installation),
      fencingToken: String(shard.token),
      nextHelloMs: shard.consumers.intervalMs,
      slot: incarnation?.slot ?? null,
      newest,
    };
  }

  /** A consumer that has not got, for a heartbeat, what it did not reject: JetStream may lack it. */
  #isMissing(run: HelloRun, published: PublishedSnapshot, intervalMs: number): boolean {
    if (!isHigher(published, run)) return false;
    if (run.rejected !== undefined && !isHigher(published, run.rejected)) return false;
    const ageMs = this.context.clock.wallMs() - this.context.parseTime(published.at);
    return ageMs > intervalMs;
  }

  ack(from: ConsumerRef, ack: Ack): void {
    const shard = this.#shards.shardOf(from.root);
    if (shard === undefined) return;
    const items = ack.items.filter((item) => isUnder(item.address, from.root));
    for (const address of shard.consumers.ack(from, { ...ack, items })) {
      this.#watchers.changed(address);
    }
    const root = shard.roots.get(from.root);
    const isTold = ({ state, cohort }: (typeof items)[number]): boolean =>
      state === 'rejected' && cohort !== undefined;
    if (root !== undefined && items.some(isTold)) this.#rejected(root);
  }

  /** Makes an address known because a consumer opened it below one that has a document. */
  async #open(address: Address): Promise<void> {
    const { text } = address;
    if (this.#opening.has(text) || !this.#hasDocumentAbove(address)) return;
    this.#opening.add(text);
    try {
      const options = {
        name: 'open',
        address,
        mode: 'exclusive',
        context: { actor: 'consumer' },
      } as const;
      await this.#commands.run(options, async (root) => this.#prepare(root, address));
    } catch (error) {
      this.context.log.error('could not open an address', { address: text, error: String(error) });
    } finally {
      this.#opening.delete(text);
    }
  }

  #prepare(
    root: OwnedRoot,
    address: Address,
  ): { readonly ok: true; readonly value: Prepared<undefined> } {
    const nothing = { status: 200, body: undefined, changes: null, apply: () => undefined };
    if (root.tree.get(address) !== undefined) return { ok: true, value: nothing };
    const opened = root.tree.all().filter((node) => node.opened).length;
    if (opened >= this.context.settings.maxOpened) {
      this.context.log.warn('too many opened addresses: ignoring one', { address: address.text });
      return { ok: true, value: nothing };
    }
    const node = newNode(this.context, root.tree, { address, newest: null });
    return {
      ok: true,
      value: {
        ...nothing,
        changes: { ...NO_CHANGES, opened: [address.text], snapshots: [node.head] },
        apply: () => {
          root.tree.add(node);
          this.#publication.enqueue(root, node);
        },
      },
    };
  }

  #hasDocumentAbove(address: Address): boolean {
    const path = this.#shards.tree(address.root)?.path(address) ?? [];
    return path.some(({ newest }) => newest !== null && newest.document !== null);
  }
}

function isUnder(address: string, root: string): boolean {
  return address === root || address.startsWith(`${root}/`) || address.startsWith(`${root}:`);
}
