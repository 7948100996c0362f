import { parseAddress, refused } from '@pawl/contracts';
import type { Address, JsonValue, Outcome, OwnerCall } from '@pawl/contracts';
import type { ConfigEngine, WriteOptions } from '../config-engine.js';

/** Does, as the owner, what another node was asked for. */
export function answerCall(engine: ConfigEngine, call: OwnerCall): Promise<Outcome<unknown>> {
  const parsed = parseAddress(call.address);
  if (!parsed.ok) return Promise.resolve(refused('malformed-address', parsed.message));
  return dispatch(engine, parsed.address, call);
}

function dispatch(
  engine: ConfigEngine,
  address: Address,
  call: OwnerCall,
): Promise<Outcome<unknown>> {
  switch (call.operation) {
    case 'put-config':
      return engine.putConfig(writeOptions(address, call), call.document as JsonValue);
    case 'patch-config': {
      const { patchKind, patch } = call;
      return engine.patchConfig(writeOptions(address, call), patchKind, patch as JsonValue);
    }
    case 'put-schema':
      return engine.putSchema(writeOptions(address, call), call.schema as JsonValue);
    case 'delete-schema':
      return engine.deleteSchema(writeOptions(address, call));
    case 'merge-config':
      return engine.mergeConfig(writeOptions(address, call), call.change);
    case 'plan-merge':
      return engine.planMerge(address, call.change);
    case 'get-merge-base':
      return mergeBase(engine, address, call.from);
    case 'get-config':
      return engine.getConfig(address, call.version);
    case 'get-schema':
      return engine.getSchema(address, call.version);
    case 'release':
      return engine.release(address, call.request, call.context);
    case 'get-release':
      return engine.getRelease(address);
    case 'get-effective':
      return engine.getEffective(address, call);
    case 'get-rollout':
      return engine.getRollout(address);
    case 'sum-up-release':
      return engine.sumUpRelease(address, call.id);
    case 'list-consumers':
      return engine.listConsumers(address, call);
    case 'list-history':
      return engine.listHistory(address, call);
    case 'diff':
      return engine.diff(address, call.from, call.to);
    case 'preview':
      return engine.preview(address, call.request);
    case 'look-again':
      return engine.lookAgain(address);
    case 'preflight':
      return engine.preflight(address, call.request, call.id);
  }
}

function mergeBase(
  engine: ConfigEngine,
  address: Address,
  from: string,
): Promise<Outcome<unknown>> {
  const parsed = parseAddress(from);
  if (!parsed.ok) return Promise.resolve(refused('malformed-address', parsed.message));
  return engine.getMergeBase(address, parsed.address);
}

type WriteCall = Extract<
  OwnerCall,
  { readonly operation: `${'put' | 'patch' | 'delete' | 'merge'}-${string}` }
>;

function writeOptions(address: Address, call: WriteCall): WriteOptions {
  const { precondition, message, context } = call;
  return { address, precondition, context, ...(message === undefined ? {} : { message }) };
}
