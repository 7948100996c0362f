import type { UntypedServiceImplementation } from '@grpc/grpc-js';
import { isReadOnly } from '../state/index.js';
import type { OperationResult, Refusal, Txn } from '../state/index.js';
import type { ReadOptions } from '../coordination.port.js';
import type { ApiContext } from './api-context.js';
import type { CallGate } from './call-gate.js';
import { deleteSize, putSize, rangeSize, txnSize } from './answer-size.js';
import { toDeleteResponse, toPutResponse, toRangeResponse, toResponseOp } from './kv-response.js';
import type * as rpc from '../etcd-protocol/messages.js';
import { refused } from './status-error.js';
import {
  checkDelete,
  checkPut,
  checkRange,
  checkTxnRequest,
  isSerializable,
  toDelete,
  toNumber,
  toPut,
  toRange,
  toTxn,
  txnOf,
} from './txn-request.js';
import { toLeaseId } from './user-keys.js';

/** etcd's KV service. */
export function kvService(context: ApiContext, gate: CallGate): UntypedServiceImplementation {
  const kv = new KvService(context);
  return {
    Range: gate.unary((request: rpc.RangeRequest) => kv.range(request), rangeSize),
    Put: gate.unary((request: rpc.PutRequest) => kv.put(request), putSize),
    DeleteRange: gate.unary(
      (request: rpc.DeleteRangeRequest) => kv.deleteRange(request),
      deleteSize,
    ),
    Txn: gate.unary((request: rpc.TxnRequest) => kv.txn(request), txnSize),
    Compact: gate.unary((request: rpc.CompactionRequest) => kv.compact(request)),
  };
}

class KvService {
  constructor(private readonly context: ApiContext) {}

  async range(request: rpc.RangeRequest): Promise<rpc.Written<rpc.RangeResponse>> {
    checkRange(request);
    const { serializable } = request;
    const result = await this.context.node.range(toRange(request, 'alone'), { serializable });
    if (!result.ok) throw refused(result.refusal);
    return toRangeResponse(this.context.header(result.revision), result);
  }

  async put(request: rpc.PutRequest): Promise<rpc.Written<rpc.PutResponse>> {
    checkPut(request);
    const result = await this.context.node.txn(txnOf(toPut(request)), { origin: 'user' });
    if (!result.ok) throw refused(await this.#whyNotPut(request, result.refusal));
    const { revision, results } = result;
    return toPutResponse(this.context.header(revision), only(results, 'put'));
  }

  /** Alone, a put fails for its lease before it fails for its key; in a transaction after. */
  async #whyNotPut({ lease }: rpc.PutRequest, refusal: Refusal): Promise<Refusal> {
    if (refusal !== 'key-not-found' || lease === '0') return refusal;
    const found = await this.context.node.leaseTime(toLeaseId(lease));
    return found === null ? 'lease-not-found' : refusal;
  }

  async deleteRange(
    request: rpc.DeleteRangeRequest,
  ): Promise<rpc.Written<rpc.DeleteRangeResponse>> {
    checkDelete(request);
    const { revision, results } = await this.#perform(txnOf(toDelete(request)));
    return toDeleteResponse(this.context.header(revision), only(results, 'delete'));
  }

  async txn(request: rpc.TxnRequest): Promise<rpc.Written<rpc.TxnResponse>> {
    checkTxnRequest(request, this.context.limits.txnOperations);
    const txn = toTxn(request);
    const serializable = isReadOnly(txn) && isSerializable(request);
    const { revision, succeeded, results } = await this.#perform(txn, { serializable });
    return {
      header: this.context.header(revision),
      succeeded,
      responses: results.map(toResponseOp),
    };
  }

  async compact(request: rpc.CompactionRequest): Promise<rpc.Written<rpc.Answer>> {
    const { node } = this.context;
    const result = await node.compact(toNumber(request.revision));
    if (!result.ok) throw refused(result.refusal);
    if (request.physical) await node.defragment();
    return { header: this.context.header(result.revision) };
  }

  async #perform(txn: Txn, options: ReadOptions = {}) {
    const result = await this.context.node.txn(txn, { origin: 'user', ...options });
    if (!result.ok) throw refused(result.refusal);
    return result;
  }
}

function only<Kind extends OperationResult['kind']>(
  results: readonly OperationResult[],
  kind: Kind,
): Extract<OperationResult, { kind: Kind }> {
  const [result] = results;
  if (result?.kind !== kind) throw new Error(`the store answered a ${kind} with ${result?.kind}`);
  return result as Extract<OperationResult, { kind: Kind }>;
}
