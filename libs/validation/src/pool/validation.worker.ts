import { workerData, type MessagePort } from 'node:worker_threads';

import type { JsonValue } from '@pawl/contracts';
import type { Violation } from '@pawl/engine';

import { type CompiledSchema, compileSchema } from '../compile/compile-schema.js';
import { UNLIMITED, WorkExhausted, type WorkLimits } from '../compile/meter.js';
import { analyseSchema } from '../schema/analyse-schema.js';
import type { WorkerReply, WorkerRequest } from './protocol.js';

/** Looking for all violations stops well before the deadline would end the worker. */
const EXPLAIN_LIMITS: WorkLimits = { units: 500_000, patternWork: 20_000_000 };

const { port } = workerData as { port: MessagePort };
const schemas = new Map<string, CompiledSchema>();

port.on('message', (request: WorkerRequest) => {
  for (const reply of answer(request)) port.postMessage(reply);
});

function* answer(request: WorkerRequest): Generator<WorkerReply, void> {
  switch (request.kind) {
    case 'hello':
      yield { kind: 'ready' };
      break;
    case 'compile':
      yield compile(request.hash, JSON.parse(request.schema) as JsonValue);
      break;
    case 'validate':
      yield* validate(request.hash, JSON.parse(request.document) as JsonValue);
      break;
    case 'forget':
      for (const hash of request.hashes) schemas.delete(hash);
  }
}

function compile(hash: string, schema: JsonValue): WorkerReply {
  const plan = analyseSchema(schema);
  const compiled = plan.ok ? compileSchema(plan.value) : plan;
  if (!compiled.ok) return { kind: 'refused', problem: compiled.problem };
  schemas.set(hash, compiled.value);
  return { kind: 'compiled' };
}

function* validate(hash: string, document: JsonValue): Generator<WorkerReply, void> {
  const schema = schemas.get(hash);
  if (schema === undefined) throw new Error(`schema ${hash} was not compiled in this worker`);
  const first = withinStack(() => schema.check(document, UNLIMITED));
  if (first.length === 0) {
    yield { kind: 'valid' };
  } else {
    yield { kind: 'invalid', violations: first, final: false };
    yield { kind: 'invalid', violations: explained(schema, document) ?? first, final: true };
  }
}

function explained(schema: CompiledSchema, document: JsonValue): readonly Violation[] | undefined {
  try {
    const all = withinStack(() => schema.explain(document, EXPLAIN_LIMITS));
    return all.length === 0 ? undefined : all;
  } catch (error) {
    if (error instanceof WorkExhausted) return undefined;
    throw error;
  }
}

/** A schema that applies itself to the same value without end can be satisfied by nothing. */
function withinStack(run: () => readonly Violation[]): readonly Violation[] {
  try {
    return run();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const message = 'the schema refers to itself without end, so nothing satisfies it';
    return [{ pointer: '', keyword: '$ref', message }];
  }
}
