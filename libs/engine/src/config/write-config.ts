import { canonicalize, done, LIMITS, mergePatch, refused, utf8Length } from '@pawl/contracts';
import type { Address, JsonValue, Outcome, WrittenView } from '@pawl/contracts';
import type { Definition, SchemaRef } from '@pawl/domain';
import type { PatchKind, WriteOptions, Written } from '../config-engine.js';
import type { EngineContext } from '../engine-context.js';
import { applyJsonPatch } from './apply-json-patch.js';
import { documentRef } from './put-definition.js';
import type { PutDefinition } from './put-definition.js';

/** PUT of a document: keeps the schema. */
export async function putConfig(
  context: EngineContext,
  put: PutDefinition,
  options: WriteOptions,
  value: JsonValue,
): Promise<Outcome<Written<WrittenView>>> {
  const document = documentRef(context, options.address, value);
  if (!document.ok) return document;
  return put.run({ ...options, name: 'put-config', mustExist: false }, async (newest) =>
    done({ document: document.value, schema: newest?.schema ?? null }),
  );
}

/** PATCH over the newest document; an abstract definition is patched as `{}`. */
export function patchConfig(
  context: EngineContext,
  put: PutDefinition,
  options: WriteOptions,
  patch: { readonly kind: PatchKind; readonly value: JsonValue },
): Promise<Outcome<Written<WrittenView>>> {
  return put.run(
    { ...options, name: 'patch-config', mustExist: 'before-precondition' },
    async (newest) => {
      const target = newest?.document?.value ?? {};
      const patched =
        patch.kind === 'merge-patch'
          ? done(mergePatch(target, patch.value))
          : applyJsonPatch(target, patch.value);
      if (!patched.ok) return patched;
      const document = documentRef(context, options.address, patched.value);
      if (!document.ok) return document;
      return done({ document: document.value, schema: newest?.schema ?? null });
    },
  );
}

/** PUT of a schema: keeps the document; without one the definition is abstract. */
export async function putSchema(
  context: EngineContext,
  put: PutDefinition,
  options: WriteOptions,
  value: JsonValue,
): Promise<Outcome<Written<WrittenView>>> {
  const schema = await schemaRef(context, options.address, value);
  if (!schema.ok) return schema;
  return put.run({ ...options, name: 'put-schema', mustExist: false }, async (newest) =>
    done({ document: newest?.document ?? null, schema: schema.value }),
  );
}

/** DELETE of a schema: keeps the document, `{}` if there is none. */
export function deleteSchema(
  context: EngineContext,
  put: PutDefinition,
  options: WriteOptions,
): Promise<Outcome<Written<WrittenView>>> {
  return put.run(
    { ...options, name: 'delete-schema', mustExist: 'after-precondition' },
    async (newest) => {
      if (newest === null || newest.schema === null) return done(contentOf(newest));
      const document = newest.document ?? { value: {}, text: '{}', hash: context.sha256('{}') };
      return done({ document, schema: null });
    },
  );
}

/** Checks that a schema can be used, and names it by the hash of its canonical bytes. */
export async function schemaRef(
  context: EngineContext,
  address: Address,
  schema: JsonValue,
): Promise<Outcome<SchemaRef>> {
  const text = canonicalize(schema);
  const size = utf8Length(text);
  if (size > LIMITS.schemaBytes) {
    return refused(
      'too-large',
      `a schema has at most ${LIMITS.schemaBytes} bytes as canonical JSON, this one has ${size}`,
    );
  }
  const ref = { hash: context.sha256(text), schema };
  const prepared = await context.validator.prepare(ref);
  if (prepared.ok) return done(ref);
  const { errors } = prepared.problem;
  if (errors === undefined) return prepared;
  const named = errors.map((error) => ({ ...error, address: address.text }));
  return { ok: false, problem: { ...prepared.problem, errors: named } };
}

function contentOf(newest: Definition | null): Pick<Definition, 'document' | 'schema'> {
  return { document: newest?.document ?? null, schema: newest?.schema ?? null };
}
