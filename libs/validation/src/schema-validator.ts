import { setImmediate as nextTurn } from 'node:timers/promises';

import { done, type JsonValue, LIMITS, type Outcome, refused } from '@pawl/contracts';
import type { DocumentRef, SchemaRef } from '@pawl/domain';
import { ValidationOverloadedError } from '@pawl/engine';
import type { SchemaValidator, ValidationOutcome, Violation } from '@pawl/engine';

import { type CompiledSchema, compileSchema } from './compile/compile-schema.js';
import { WorkExhausted, type WorkLimits } from './compile/meter.js';
import { LruMap } from './lru-map.js';
import { translate } from './patterns/compile-pattern.js';
import {
  type PoolResult,
  type PoolTask,
  ValidatorClosedError,
  WorkerPool,
} from './pool/worker-pool.js';
import { analyseSchema, type SchemaPlan } from './schema/analyse-schema.js';
import { isDeeper } from './schema/is-deeper.js';

/** How much may be spent, where, and on what. All have defaults. */
export interface SchemaValidatorOptions {
  /** Worker threads, started when first needed. Default 2. */
  readonly workers?: number;
  /** Heap of one worker in MiB. Default 256. */
  readonly workerMemoryMb?: number;
  /** Default 5,000. */
  readonly compileDeadlineMs?: number;
  /** Default 1,000. */
  readonly validateDeadlineMs?: number;
  /** Validations that wait for a worker. Default 256. */
  readonly queueLimit?: number;
  /** How long one waits for a worker. Default 10,000. */
  readonly queueDeadlineMs?: number;
  /** Schemas kept compiled, used last. Default 500. */
  readonly cachedSchemas?: number;
  /** Memory for them, roughly. Default 64 MiB. */
  readonly cachedBytes?: number;
  /** A schema or document with more characters goes to a worker. Defaults 16 Ki and 64 Ki. */
  readonly localSchemaCharacters?: number;
  readonly localDocumentCharacters?: number;
}

const DEFAULTS: Required<SchemaValidatorOptions> = {
  workers: 2,
  workerMemoryMb: 256,
  compileDeadlineMs: 5_000,
  validateDeadlineMs: 1_000,
  queueLimit: 256,
  queueDeadlineMs: 10_000,
  cachedSchemas: 500,
  cachedBytes: 64 * 1024 * 1024,
  localSchemaCharacters: 16 * 1024,
  localDocumentCharacters: 64 * 1024,
};

/** Subschemas compiled on the event loop: at up to 0.1 ms each, about 10 ms. */
const LOCAL_NODES = 100;
/** Instructions of all patterns compiled on the event loop: some milliseconds. */
const LOCAL_PATTERN_SIZE = 2_000;
/**
 * A visit takes up to 1 µs, with errors to write down: 20 ms. A character may cost an instruction
 * of a pattern 50 ns, mostly far less: 25 ms. Small documents need a few hundred of each.
 */
const LOCAL_LIMITS: WorkLimits = { units: 20_000, patternWork: 500_000 };
const LOCAL_EXPLAIN_LIMITS: WorkLimits = { ...LOCAL_LIMITS, units: 5_000 };

/** Heap of compiled schemas: 20 to 150 bytes for a character of the real ones. */
const COMPILED_BYTES_PER_CHARACTER = 100;

/** A schema that can be used. `local` is there when small documents need no worker. */
interface Prepared {
  readonly text: string;
  readonly local: CompiledSchema | undefined;
}

/** Validation cut off for want of memory says so; the port knows only the time. */
export interface CutOffOutcome {
  readonly kind: 'timeout';
  readonly afterMs: number;
  readonly reason: 'deadline' | 'memory';
}

/** A stored schema cannot be used any more. */
export class SchemaUnusableError extends Error {
  override readonly name = 'SchemaUnusableError';
}

/**
 * A validator whose event loop is held up by no schema and no document. What is small and bounded
 * runs at once; everything else, and whatever turns out to take more work than allowed, runs in a
 * worker under a deadline. Where something ran never changes a verdict.
 *
 * Beyond its port: `prepare` answers `too-many-requests`, and `validate` rejects with
 * ValidationOverloadedError, when too much waits for the workers.
 */
export function createSchemaValidator(options: SchemaValidatorOptions = {}): SchemaValidator {
  return new AjvSchemaValidator({ ...DEFAULTS, ...options });
}

class AjvSchemaValidator implements SchemaValidator {
  readonly #pool: WorkerPool;
  readonly #prepared: LruMap<Prepared>;
  readonly #preparing = new Map<string, Promise<Outcome<Prepared>>>();
  #closed = false;

  constructor(private readonly options: Required<SchemaValidatorOptions>) {
    this.#pool = new WorkerPool({ ...options, memoryMb: options.workerMemoryMb });
    this.#prepared = new LruMap(options.cachedSchemas, options.cachedBytes);
  }

  async prepare(schema: SchemaRef): Promise<Outcome<void>> {
    const prepared = await this.#prepare(schema);
    return prepared.ok ? done(undefined) : prepared;
  }

  async validate(schema: SchemaRef, document: DocumentRef): Promise<ValidationOutcome> {
    let prepared = this.#prepared.get(schema.hash);
    if (prepared === undefined || this.#closed) {
      const outcome = await this.#prepare(schema);
      if (!outcome.ok) return this.#unprepared(schema, outcome.problem);
      prepared = outcome.value;
    }
    const { text, local } = prepared;
    const task = { hash: schema.hash, schema: text, document: document.text };
    if (local === undefined || document.text.length > this.options.localDocumentCharacters) {
      return this.#validateInWorker(task);
    }
    const first = withinLimits(() => local.check(document.value, LOCAL_LIMITS));
    if (first === undefined) return this.#validateInWorker(task);
    if (first.length === 0) return { kind: 'valid' };
    const all = withinLimits(() => local.explain(document.value, LOCAL_EXPLAIN_LIMITS));
    if (all !== undefined) return invalid(all.length === 0 ? first : all);
    return this.#explainInWorker(task, first);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#pool.close();
  }

  /** Compiles once for all callers that ask meanwhile. */
  #prepare(schema: SchemaRef): Promise<Outcome<Prepared>> {
    if (this.#closed) return Promise.reject(new ValidatorClosedError('the validator is closed'));
    const known = this.#prepared.get(schema.hash);
    if (known !== undefined) return Promise.resolve(done(known));
    let preparing = this.#preparing.get(schema.hash);
    if (preparing === undefined) {
      preparing = this.#prepareNew(schema).finally(() => this.#preparing.delete(schema.hash));
      this.#preparing.set(schema.hash, preparing);
    }
    return preparing;
  }

  async #prepareNew({ hash, schema }: SchemaRef): Promise<Outcome<Prepared>> {
    if (isDeeper(schema, LIMITS.jsonDepth)) {
      return refused('too-deep', `A schema nests at most ${LIMITS.jsonDepth} levels.`);
    }
    const text = JSON.stringify(schema);
    if (Buffer.byteLength(text) > LIMITS.schemaBytes) {
      return refused('too-large', `A schema has at most ${LIMITS.schemaBytes} bytes.`);
    }
    await nextTurn();
    const local = this.#compileLocally(schema, text.length);
    if (local !== undefined && !local.ok) return local;
    if (local === undefined) {
      const refusal = await this.#compileInWorker({ hash, schema: text });
      if (refusal !== undefined) return refusal;
    }
    const prepared = { text, local: local?.value };
    const size = text.length * (local === undefined ? 1 : COMPILED_BYTES_PER_CHARACTER);
    this.#pool.forget(this.#prepared.set(hash, prepared, size));
    return done(prepared);
  }

  /** `undefined`: too much for the event loop, or unbounded there. */
  #compileLocally(schema: JsonValue, characters: number): Outcome<CompiledSchema> | undefined {
    if (characters > this.options.localSchemaCharacters) return undefined;
    const plan = analyseSchema(schema, LOCAL_NODES);
    if (!plan.ok) return plan.problem.code === 'too-large' ? undefined : plan;
    if (!hasSmallPatterns(plan.value)) return undefined;
    const compiled = compileSchema(plan.value);
    return compiled.ok && !compiled.value.linear ? undefined : compiled;
  }

  async #compileInWorker(task: PoolTask): Promise<Outcome<never> | undefined> {
    const result = await this.#runOrRefuse(task);
    if (result.kind === 'refused') return { ok: false, problem: result.problem };
    if (result.kind !== 'cut-off') return undefined;
    const why =
      result.reason === 'deadline'
        ? `took longer than ${this.options.compileDeadlineMs} ms`
        : `needed more than ${this.options.workerMemoryMb} MiB`;
    return refused('validation-timeout', `Compiling the schema ${why}; make it simpler.`);
  }

  async #runOrRefuse(task: PoolTask): Promise<PoolResult> {
    try {
      return await this.#pool.run(task);
    } catch (error) {
      if (!(error instanceof ValidationOverloadedError)) throw error;
      const detail = 'Too many schemas are being checked just now; try again.';
      return { kind: 'refused', problem: { code: 'too-many-requests', detail } };
    }
  }

  async #validateInWorker(task: PoolTask): Promise<ValidationOutcome> {
    const result = await this.#pool.run(task);
    switch (result.kind) {
      case 'valid':
        return result;
      case 'invalid':
        return invalid(result.violations);
      case 'cut-off': {
        const outcome: CutOffOutcome = {
          kind: 'timeout',
          afterMs: result.afterMs,
          reason: result.reason,
        };
        return outcome;
      }
      case 'refused':
      case 'compiled':
        throw unusable(task.hash, result.kind === 'refused' ? result.problem.detail : '');
    }
  }

  /** The verdict is known; a list that cannot be had stays short. */
  async #explainInWorker(task: PoolTask, first: readonly Violation[]): Promise<ValidationOutcome> {
    try {
      const result = await this.#pool.run(task);
      return invalid(result.kind === 'invalid' ? result.violations : first);
    } catch (error) {
      if (error instanceof ValidationOverloadedError) return invalid(first);
      throw error;
    }
  }

  #unprepared(schema: SchemaRef, problem: { code: string; detail: string }): ValidationOutcome {
    if (problem.code === 'validation-timeout') {
      return { kind: 'timeout', afterMs: this.options.compileDeadlineMs };
    }
    if (problem.code === 'too-many-requests') throw new ValidationOverloadedError(problem.detail);
    throw unusable(schema.hash, problem.detail);
  }
}

function hasSmallPatterns({ closed }: SchemaPlan): boolean {
  let size = 0;
  for (const pattern of closed.patterns.keys()) {
    size += translate(pattern)?.size ?? Infinity;
    if (size > LOCAL_PATTERN_SIZE) return false;
  }
  return true;
}

/** `undefined` when it takes more than it may here: a worker is to decide. */
function withinLimits(run: () => readonly Violation[]): readonly Violation[] | undefined {
  try {
    return run();
  } catch (error) {
    if (error instanceof WorkExhausted || error instanceof RangeError) return undefined;
    throw error;
  }
}

function invalid(violations: readonly Violation[]): ValidationOutcome {
  return { kind: 'invalid', violations };
}

function unusable(hash: string, why: string): SchemaUnusableError {
  return new SchemaUnusableError(`the stored schema ${hash} cannot be used: ${why}`);
}
