import type { ServerDuplexStream } from '@grpc/grpc-js';
import type { ApiContext } from './api-context.js';
import type * as rpc from '../etcd-protocol/messages.js';
import { refused } from './status-error.js';
import type { ApiStream } from './stream-gate.js';
import { toLeaseId } from './user-keys.js';

/**
 * Renews leases for one client: several at once, answered in the order in which they were asked for.
 * Reads no more while too many are under way, or while the client does not take its answers.
 */
export class KeepAliveStream implements ApiStream {
  readonly #call: ServerDuplexStream<rpc.Id, rpc.Written<rpc.LeaseAnswer>>;
  #underWay = 0;
  #last: Promise<void> = Promise.resolve();
  #ended = false;

  constructor(
    private readonly context: ApiContext,
    call: ServerDuplexStream<rpc.Id, rpc.Written<rpc.LeaseAnswer>>,
  ) {
    this.#call = call;
    call.on('data', (request: rpc.Id) => this.#renew(request));
    call.on('drain', () => this.#readOn());
    call.on('end', () => {
      void this.#last.then(() => this.#end());
    });
  }

  closed(): void {
    this.#ended = true;
  }

  fail(error: Error): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#call.emit('error', error);
  }

  #renew({ ID }: rpc.Id): void {
    this.#underWay += 1;
    if (this.#underWay >= this.context.limits.keepAlives) this.#call.pause();
    const answer = this.#answer(ID);
    /* Whoever waits for an earlier answer handles this one's failure later. */
    answer.catch(() => undefined);
    this.#last = this.#last.then(async () => this.#write(await answer)).catch(this.#failed);
  }

  readonly #failed = (error: unknown): void => {
    this.fail(this.context.toStatus(error));
  };

  /** A lease that ended has 0 left. */
  async #answer(ID: string): Promise<rpc.Written<rpc.LeaseAnswer>> {
    const result = await this.context.node.keepAlive(toLeaseId(ID));
    if (!result.ok && result.refusal !== 'lease-not-found') throw refused(result.refusal);
    const TTL = result.ok ? Math.floor(result.ttlMs / 1000) : 0;
    return { header: this.context.header(), ID, TTL };
  }

  #write(answer: rpc.Written<rpc.LeaseAnswer>): void {
    this.#underWay -= 1;
    if (this.#ended) return;
    if (this.#call.write(answer)) this.#readOn();
    else this.#call.pause();
  }

  #readOn(): void {
    if (!this.#call.writableNeedDrain && this.#underWay < this.context.limits.keepAlives) {
      this.#call.resume();
    }
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#call.end();
  }
}
