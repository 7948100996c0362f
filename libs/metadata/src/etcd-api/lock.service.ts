import type { UntypedServiceImplementation } from '@grpc/grpc-js';
import type * as concurrency from '../etcd-protocol/concurrency-messages.js';
import type * as rpc from '../etcd-protocol/messages.js';
import type { ApiContext } from './api-context.js';
import type { CallGate } from './call-gate.js';
import { SESSION_EXPIRED, unknown } from './contest.js';
import type { Contest } from './contest.js';
import { txnOf } from './txn-request.js';
import { toStoredKey } from './user-keys.js';
import type { WaitGate, Waiting } from './wait-gate.js';

/** etcd's Lock service. */
export function lockService(
  context: ApiContext,
  gate: CallGate,
  waits: WaitGate,
  contest: Contest,
): UntypedServiceImplementation {
  const lock = new LockService(context, contest);
  return {
    Lock: waits.unary((request: concurrency.LockRequest, waiting) => lock.lock(request, waiting)),
    Unlock: gate.unary((request: concurrency.UnlockRequest) => lock.unlock(request)),
  };
}

const NOTHING = Buffer.alloc(0);

class LockService {
  constructor(
    private readonly context: ApiContext,
    private readonly contest: Contest,
  ) {}

  async lock(
    { name, lease }: concurrency.LockRequest,
    waiting: Waiting,
  ): Promise<rpc.Written<concurrency.LockResponse>> {
    const contender = { name, lease, value: NOTHING, proclaims: false, lost: SESSION_EXPIRED };
    const { reached, key } = await this.contest.contend(contender, waiting);
    return { header: this.context.header(reached), key };
  }

  /** Deletes the key, whatever it is. */
  async unlock({ key }: concurrency.UnlockRequest): Promise<rpc.Written<rpc.Answer>> {
    if (key.length === 0) throw unknown('empty-key');
    const deletion = txnOf({ kind: 'delete', key: toStoredKey(key) });
    const result = await this.context.node.txn(deletion, { origin: 'user' });
    if (!result.ok) throw unknown(result.refusal);
    return { header: this.context.header(result.revision) };
  }
}
