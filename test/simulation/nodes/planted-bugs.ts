/** One place of one source of the repository that a bug changes. */
export interface PlantedEdit {
  readonly file: string;
  /** Occurs exactly once. */
  readonly text: string;
  readonly replacement: string;
}

export interface PlantedBug {
  readonly name: string;
  readonly edits: readonly PlantedEdit[];
  /** What the world says that is broken. */
  readonly finds: RegExp;
  /** A seed that found it: asked first. */
  readonly seed: number;
  /** Set for worlds whose releases go in stages. */
  readonly staged?: true;
}

export const edit = (file: string, text: string, replacement: string): PlantedEdit => ({
  file,
  text,
  replacement,
});

const ENGINE = 'libs/engine/src';
/** PostgreSQL's functions, which these stand for. */
const TABLES = `${ENGINE}/testing/fake-truth-store.ts`;
const TRUTH = 'test/simulation/nodes/simulated-truth.ts';
const POSTGRES = 'test/simulation/nodes/simulated-postgres.ts';
const REGISTRY = `${ENGINE}/sharding/shard-registry.ts`;
const OWNERSHIP = 'libs/metadata/src/ownership';
const FENCE_CHECK = 'if (held !== token) {';

/** Transactions of one kind that do not compare the fence row with their token. */
const unfenced = (what: string): PlantedEdit =>
  edit(TRUTH, FENCE_CHECK, `if (held !== token && what !== '${what}') {`);

/** What is noted of a shard when its claim is gone. */
const LATE_NOTE = edit(
  `${OWNERSHIP}/note-highest.ts`,
  'const key = markKey(shard);',
  'if (ATTEMPTS > 0) return;\n  const key = markKey(shard);',
);

/**
 * Faults that a control plane of many nodes could have, each of which the simulated worlds find. Those
 * of PostgreSQL's adapter are planted in the simulated one.
 */
export const PLANTED_BUGS: readonly PlantedBug[] = [
  {
    name: 'memory is changed, and published, before the commit',
    edits: [
      edit(
        `${ENGINE}/sharding/run-command.ts`,
        'const { status, body, changes } = prepared.value;',
        'const { status, body, changes } = prepared.value;\n    prepared.value.apply();',
      ),
      edit(`${ENGINE}/sharding/run-command.ts`, 'prepared.value.apply();\n    return', 'return'),
    ],
    finds: /published once it is committed/,
    seed: 2,
  },
  {
    name: 'commits do not check the token',
    edits: [unfenced('commit')],
    finds: /a commit of shard .* the fence is/,
    seed: 1,
  },
  {
    name: 'marks of what is published do not check the token',
    edits: [unfenced('mark')],
    finds: /mark of shard .* the fence is/,
    seed: 9,
  },
  {
    name: 'the status of consumers is saved without a check of the token',
    edits: [unfenced('status')],
    finds: /status of shard .* the fence is/,
    seed: 13,
  },
  {
    name: 'idempotency keys are looked up without a check of the token',
    edits: [
      edit(
        TRUTH,
        '(as) => tables.findIdempotent(as, key)',
        '(as) => tables.findIdempotent({ ...as, token: this.#server.highest(as.shard) } as Fence, key)',
      ),
    ],
    finds: /a read \(idempotency\) of shard .* the fence is/,
    seed: 14,
  },
  {
    name: 'a claim loads before it raises the fence',
    edits: [
      edit(
        REGISTRY,
        'const raised = await this.context.truth.raiseFence(fence, owner, known);',
        "const raised = 'raised' as 'raised' | 'superseded';",
      ),
      edit(
        REGISTRY,
        'await this.#load(shard);',
        'await this.#load(shard, () => this.context.truth.raiseFence(fence, owner, known));',
      ),
      edit(
        REGISTRY,
        'async #load(shard: OwnedShard): Promise<void> {',
        'async #load(shard: OwnedShard, raise: () => Promise<unknown>): Promise<void> {',
      ),
      edit(
        REGISTRY,
        'const images = await this.context.truth.loadShard(shard);',
        'const images = await this.context.truth.loadShard(shard);\n    await raise();',
      ),
      // PostgreSQL gives no rows under a token that is not the fence's: no shard would ever be served.
      edit(
        TABLES,
        'loadShard(fence: Fence): Promise<readonly AddressImage[]> {\n    return this.#read(fence, () =>',
        'loadShard(fence: Fence): Promise<readonly AddressImage[]> {\n    return Promise.resolve().then(() =>',
      ),
      edit(
        POSTGRES,
        'this.witness.read(what, fence);',
        "if (what !== 'load') this.witness.read(what, fence);",
      ),
    ],
    finds: /was told before it began|is told (snapshot|definition|the \w+ version) /,
    seed: 173,
  },
  {
    name: 'a shard is handed over without a drain',
    edits: [edit(REGISTRY, 'await this.#drained(shard);', '')],
    finds: /a hand-over in order/,
    seed: 12,
  },
  {
    name: 'a command is sent again with another idempotency key',
    edits: [
      edit(
        `${ENGINE}/routing/errand.ts`,
        'this.#message = asMessage(this.#work?.call(this.#keyed()));',
        'return asMessage(this.#work?.call(this.#keyed()));',
      ),
    ],
    finds: /takes effect once|refused, and (was|is) written/,
    seed: 79,
  },
  {
    name: 'an outcome that is not known is told as if nothing were written',
    edits: [
      edit(
        `${ENGINE}/sharding/run-command.ts`,
        'if (error instanceof OutcomeUnknownError) {',
        'if (error instanceof OutcomeUnknownError) return truthUnavailable();\n    if (error instanceof OutcomeUnknownError) {',
      ),
    ],
    finds: /takes effect once|refused, and (was|is) written/,
    seed: 25,
  },
  {
    name: 'an owner that did not answer is taken for none',
    edits: [
      edit(
        `${ENGINE}/routing/router.ts`,
        'else if (error instanceof CommandOutcomeUnknownError) trip.told = trip.errand.unanswered();',
        'else if (error instanceof CommandOutcomeUnknownError) trip.told = noOwner();',
      ),
    ],
    finds: /refused, and (was|is) written/,
    seed: 3,
  },
  {
    name: 'an outcome that is not known is taken for a commit',
    edits: [
      edit(
        `${ENGINE}/sharding/commit-queue.ts`,
        'else for (const each of group) each.reject(error as Error);',
        "else for (const each of group) each.resolve({ kind: 'committed' });",
      ),
    ],
    finds: /is acknowledged and in PostgreSQL|published once it is committed/,
    seed: 4,
  },
  {
    name: 'memory is trusted after an outcome that is not known',
    edits: [
      edit(
        REGISTRY,
        'if (error instanceof OutcomeUnknownError) this.doubt(root);',
        'void OutcomeUnknownError;',
      ),
    ],
    finds: /was told before it began/,
    seed: 25,
  },
  {
    name: 'a read is answered under a check of the fence from before it came',
    edits: [
      edit(
        `${ENGINE}/sharding/fence-checks.ts`,
        'return (await this.unsure(shard)) ?? serve();',
        'return (await this.unsureForLong(shard)) ?? serve();',
      ),
    ],
    finds: /was told before it began/,
    seed: 47,
  },
  {
    name: 'a snapshot is pushed before it is stored',
    edits: [
      edit(
        `${ENGINE}/publication/publication.ts`,
        'const outcome = await this.context.publisher.publish(node.address, snapshot);',
        'this.context.publisher.push(node.address, snapshot);\n    const outcome = await this.context.publisher.publish(node.address, snapshot);',
      ),
    ],
    finds: /stored before it is pushed/,
    seed: 1,
  },
  {
    name: 'contents are stored after the snapshot that names them',
    edits: [
      edit(
        `${ENGINE}/publication/publication.ts`,
        'await this.#storeContent({ root, node });\n    const publishedAt',
        'const publishedAt',
      ),
    ],
    finds: /is readable before/,
    seed: 1,
  },
  {
    name: 'what is published counts as applied',
    edits: [
      edit(
        `${ENGINE}/status/shard-consumers.ts`,
        '...{ cohort, hash: run.hash ?? null, ageMs: null },',
        '...{ cohort, hash: null, ageMs: null, version: this.published(ref.root, address)?.version ?? run.version },',
      ),
    ],
    finds: /is said to run/,
    seed: 16,
  },
  {
    name: 'a restore is accepted without another generation',
    edits: [
      edit(
        TABLES,
        'Math.max(this.#generation, ...seen) + 1',
        'Math.max(this.#generation, ...seen)',
      ),
    ],
    finds: /accepting raises the generation/,
    seed: 55,
  },
  {
    name: 'a shard that is behind takes writes',
    edits: [
      edit(
        `${ENGINE}/sharding/run-command.ts`,
        'if (unwritable !== undefined) return surely(unwritable);',
        'void unwritable;',
      ),
      edit(REGISTRY, 'if (root.shard.behind !== null) throw', 'if (root.shard === null) throw'),
      edit(TABLES, "if (this.#behind.has(fence.shard)) return { kind: 'behind' };", ''),
    ],
    finds: /takes writes before that is accepted/,
    seed: 7,
  },
  {
    name: 'the quorum is told of no commits',
    edits: [
      LATE_NOTE,
      edit(
        `${OWNERSHIP}/claim-shard.ts`,
        'if (mark === undefined) return [];',
        'if (mark === undefined || shard >= 0) return [];',
      ),
      edit(
        `${OWNERSHIP}/mark-notes.ts`,
        'const news = this.#options.notes().filter(',
        'const news = this.#options.notes().slice(0, 0).filter(',
      ),
    ],
    finds: /takes writes before that is accepted/,
    seed: 43,
  },
  {
    name: 'a claim ignores what is remembered of the shard',
    edits: [
      edit(
        REGISTRY,
        'const raised = await this.context.truth.raiseFence(fence, owner, known);',
        'const raised = await this.context.truth.raiseFence(fence, owner, null);',
      ),
    ],
    finds: /takes writes before that is accepted/,
    seed: 7,
  },
  {
    name: 'nothing is noted of a shard whose claim is gone',
    edits: [LATE_NOTE],
    finds: /takes writes before that is accepted/,
    seed: 49,
  },
];
