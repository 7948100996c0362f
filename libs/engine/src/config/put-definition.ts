import { canonicalize, checkDocument, done, LIMITS, refused, utf8Length } from '@pawl/contracts';
import type {
  Address,
  JsonObject,
  JsonValue,
  MergeOrigin,
  Outcome,
  ProblemError,
  WrittenView,
} from '@pawl/contracts';
import type { Definition, DocumentRef, SchemaRef } from '@pawl/domain';
import type { WriteOptions, Written } from '../config-engine.js';
import type { EngineContext } from '../engine-context.js';
import { evaluateChange, replacing, stableVariant } from '../release/evaluate-change.js';
import { complaints, refusal } from '../release/refusal.js';
import { newNode } from '../sharding/build-nodes.js';
import type { OwnedRoot } from '../sharding/owned-shard.js';
import { stableDocument } from '../sharding/root-tree.js';
import type { AddressNode, RootTree } from '../sharding/root-tree.js';
import { NO_CHANGES } from '../sharding/truth-store.port.js';
import type { CommandRunner, Prepared } from '../sharding/run-command.js';
import type { Publication } from '../publication/publication.js';
import { judgePrecondition } from './precondition.js';

/** What the next definition version holds; worked out from the newest one. */
export interface NextContent {
  readonly document: DocumentRef | null;
  readonly schema: SchemaRef | null;
  /** Where it was merged from. */
  readonly origin?: MergeOrigin;
  /** It is written also where nothing differs: it says how conflicts were decided. */
  readonly isDecided?: boolean;
}

/** Works out the next content from the newest definition (`null`: none yet), and what is around it. */
export type Derive = (newest: Definition | null, tree: RootTree) => Promise<Outcome<NextContent>>;

export interface PutOptions extends WriteOptions {
  /** For metrics. */
  readonly name: string;
  /** Whether and when to refuse with `not-found` that there is no definition. */
  readonly mustExist: false | 'before-precondition' | 'after-precondition';
}

/** The document or `{}`, with its hash: what a definition's `hash` speaks of. */
export function shownDocument(
  context: EngineContext,
  definition: { readonly document: DocumentRef | null },
): { readonly value: JsonObject; readonly hash: string } {
  return definition.document ?? { value: {}, hash: context.sha256('{}') };
}

/** Checks a document by itself, and takes its canonical bytes. */
export function documentRef(
  context: EngineContext,
  address: Address,
  value: JsonValue,
): Outcome<DocumentRef> {
  const checked = checkDocument(value, address.text);
  if (!checked.ok) return checked;
  const text = canonicalize(checked.value);
  const size = utf8Length(text);
  if (size > LIMITS.effectiveBytes) {
    return refused(
      'too-large',
      `a document has at most ${LIMITS.effectiveBytes} bytes as canonical JSON, this one has ${size}`,
    );
  }
  return done({ value: checked.value, text, hash: context.sha256(text) });
}

/** Writes the next definition version of an address: the one path of PUT, PATCH and DELETE. */
export class PutDefinition {
  constructor(
    private readonly context: EngineContext,
    private readonly commands: CommandRunner,
    private readonly publication: Publication,
  ) {}

  run(options: PutOptions, derive: Derive): Promise<Outcome<Written<WrittenView>>> {
    const { name, address, context } = options;
    return this.commands.run({ name, address, mode: 'shared', context }, (root) =>
      this.#prepare(root, options, derive),
    );
  }

  async #prepare(
    root: OwnedRoot,
    options: PutOptions,
    derive: Derive,
  ): Promise<Outcome<Prepared<WrittenView>>> {
    const { address, precondition } = options;
    const node = root.tree.get(address);
    const newest = node?.newest ?? null;
    const missing = refused('not-found', `there is no definition at ${address.text} to change`);
    if (newest === null && options.mustExist === 'before-precondition') return missing;
    const unmet = judgePrecondition(precondition, newest?.version ?? 0);
    if (unmet !== undefined) return { ok: false, problem: unmet };
    if (newest === null && options.mustExist !== false) return missing;
    const derived = await derive(newest, root.tree);
    if (!derived.ok) return derived;
    const next = derived.value;
    if (newest !== null && next.isDecided !== true && isSame(newest, next)) {
      return done(this.#unchanged(newest));
    }
    const checked = await this.check(root.tree, address, next);
    if (!checked.ok) return checked;
    const definition = this.#definition(options, (newest?.version ?? 0) + 1, next);
    return done(this.#write(root, { address, node, definition, warnings: checked.value }));
  }

  /** Checks what would be read there, and tells what would be wrong below. */
  async check(
    tree: RootTree,
    address: Address,
    next: NextContent,
  ): Promise<Outcome<readonly ProblemError[]>> {
    const hypothesis = { ...replacing(address, next), stableOnly: true } as const;
    const warnings: ProblemError[] = [];
    for await (const variant of evaluateChange(this.context, tree, hypothesis)) {
      const isOwn = variant.address.text === address.text;
      const problem = isOwn ? refusal([variant]) : undefined;
      if (problem !== undefined) return { ok: false, problem };
      if (!isOwn) warnings.push(...complaints(variant));
      else if (stableVariant(variant).effective === null && isRead(tree, address)) {
        warnings.push(becomesAbsent(address));
      }
    }
    return done(warnings.slice(0, LIMITS.errors));
  }

  #definition(options: PutOptions, version: number, next: NextContent): Definition {
    return {
      address: options.address.text,
      version,
      document: next.document,
      schema: next.schema,
      author: options.context.actor,
      createdAt: this.context.formatTime(this.context.clock.wallMs()),
      ...(options.message === undefined ? {} : { message: options.message }),
      ...(next.origin === undefined ? {} : { origin: next.origin }),
    };
  }

  #unchanged(newest: Definition): Prepared<WrittenView> {
    const body = this.#view(newest, []);
    return { status: 200, body, changes: null, apply: () => undefined };
  }

  #write(
    root: OwnedRoot,
    write: {
      readonly address: Address;
      readonly node: AddressNode | undefined;
      readonly definition: Definition;
      readonly warnings: readonly ProblemError[];
    },
  ): Prepared<WrittenView> {
    const { address, node, definition, warnings } = write;
    const { version, document, schema, author, createdAt: at, message, origin } = definition;
    const added =
      node === undefined
        ? newNode(this.context, root.tree, { address, newest: definition })
        : undefined;
    const schemaText = schema === null ? null : canonicalize(schema.schema);
    return {
      status: version === 1 ? 201 : 200,
      body: this.#view(definition, warnings),
      changes: {
        ...NO_CHANGES,
        definitions: [
          {
            address: address.text,
            version,
            document: document === null ? null : { text: document.text, hash: document.hash },
            schema: schema === null ? null : { hash: schema.hash, text: schemaText ?? '' },
            author,
            createdAt: at,
            ...(message === undefined ? {} : { message }),
            ...(origin === undefined ? {} : { origin }),
          },
        ],
        snapshots: added === undefined ? [] : [added.head],
        history: [
          {
            address: address.text,
            at,
            author,
            kind: 'definition',
            version,
            ...(message === undefined ? {} : { message }),
          },
        ],
      },
      apply: () => {
        if (node !== undefined) {
          node.newest = definition;
          node.opened = false;
        } else if (added !== undefined) {
          root.tree.add(added);
          this.publication.enqueue(root, added);
        }
      },
    };
  }

  #view(definition: Definition, warnings: readonly ProblemError[]): WrittenView {
    const { address, version, author, createdAt, message, origin } = definition;
    return {
      address,
      version,
      hash: shownDocument(this.context, definition).hash,
      author,
      createdAt,
      ...(message === undefined ? {} : { message }),
      ...(origin === undefined ? {} : { origin }),
      warnings: [...warnings],
    };
  }
}

function isRead(tree: RootTree, address: Address): boolean {
  const node = tree.path(address).at(-1);
  return node !== undefined && stableDocument(node) !== null;
}

function becomesAbsent(address: Address): ProblemError {
  return {
    address: address.text,
    pointer: '',
    keyword: 'abstract',
    message:
      'this definition has no document: once it is promoted nothing is read here any more; write a document, `{}` is enough, to go on reading what lies above',
  };
}

function isSame(newest: Definition, next: NextContent): boolean {
  return newest.document?.hash === next.document?.hash && newest.schema?.hash === next.schema?.hash;
}
