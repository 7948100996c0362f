import * as contracts from '@pawl/contracts';

/** A JSON Schema (2020-12, as OpenAPI 3.1 takes it), or a reference to one. */
export type Schema = Readonly<Record<string, unknown>>;

const page = (item: string, more: Schema = {}): Schema => ({
  type: 'object',
  required: ['items'],
  properties: {
    items: { type: 'array', items: ref(item) },
    next: { type: 'string', description: 'Cursor of the following page; absent on the last' },
    ...more,
  },
});

const problemSchema: Schema = {
  description: 'RFC 9457',
  type: 'object',
  required: ['type', 'title', 'status', 'detail', 'code'],
  properties: {
    type: { type: 'string', pattern: '^urn:pawl:problem:' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string', description: 'What happened and what to do next' },
    code: { enum: Object.keys(contracts.PROBLEMS) },
    errors: {
      type: 'array',
      maxItems: contracts.LIMITS.errors,
      items: contracts.problemErrorSchema,
    },
    currentVersion: { type: 'integer' },
    currentReleaseVersion: { type: 'integer' },
  },
};

const readinessSchema: Schema = {
  type: 'object',
  required: ['status', 'checks'],
  properties: {
    status: { enum: ['ready', 'not-ready'] },
    checks: {
      type: 'object',
      additionalProperties: { type: 'string' },
      description: '"ok", or what is wrong, by dependency',
    },
  },
};

/** The shapes of contracts, by the name they have in the document. */
const NAMED_SCHEMAS: Readonly<Record<string, Schema>> = {
  Document: { type: 'object', description: 'A JSON object; RFC 8785 numbers, depth at most 64' },
  JsonSchema: { type: ['object', 'boolean'], description: 'draft-07, 2019-09 or 2020-12' },
  MergePatch: { description: 'RFC 7396' },
  JsonPatch: { type: 'array', items: { type: 'object' }, description: 'RFC 6902' },
  Written: contracts.writtenSchema,
  Definition: contracts.definitionSchema,
  Strategy: contracts.strategySchema,
  StrategyStage: contracts.strategyStageSchema,
  Gate: contracts.gateSchema,
  ReleaseRequest: contracts.releaseRequestSchema,
  Release: contracts.releaseSchema,
  StagedRelease: contracts.stagedViewSchema,
  ReleaseItem: contracts.releaseItemSchema,
  ReleaseItemPage: page('ReleaseItem'),
  ReleaseSummary: contracts.releaseSummarySchema,
  EndedRelease: contracts.endedReleaseSchema,
  EndedReleasePage: page('EndedRelease'),
  EndedReleaseSummary: contracts.endedReleaseSummarySchema,
  ReleaseEnd: contracts.releaseEndSchema,
  PolicyVersion: contracts.policyVersionSchema,
  ReleasesPage: { anyOf: [ref('ReleaseItemPage'), ref('EndedReleasePage')] },
  ReleaseTold: { anyOf: [ref('ReleaseSummary'), ref('EndedReleaseSummary')] },
  CandidateCounts: contracts.candidateCountsSchema,
  Effective: contracts.effectiveSchema,
  Rollout: contracts.rolloutSchema,
  RolloutRelease: contracts.rolloutReleaseSchema,
  Consumer: contracts.consumerSchema,
  ConsumerPage: page('Consumer', { asOf: contracts.savedAt }),
  ConsumerThen: contracts.consumerThenSchema,
  ConsumersThen: page('ConsumerThen', contracts.consumersThenProperties),
  ConsumersNowOrThen: { anyOf: [ref('ConsumerPage'), ref('ConsumersThen')] },
  HistoryItem: contracts.historyItemSchema,
  HistoryPage: page('HistoryItem'),
  AuditItem: contracts.auditItemSchema,
  AuditPage: page('AuditItem'),
  Diff: contracts.diffSchema,
  MergeOrigin: contracts.mergeOriginSchema,
  MergeRequest: contracts.mergeRequestSchema,
  MergePlan: contracts.mergeSchema,
  MergeAnswer: { anyOf: [contracts.writtenSchema, contracts.mergeSchema] },
  PreflightRequest: contracts.preflightRequestSchema,
  Preflight: contracts.preflightSchema,
  PreviewRequest: contracts.previewRequestSchema,
  PreviewPromote: contracts.previewPromoteSchema,
  PreviewStage: contracts.previewStageSchema,
  Preview: contracts.previewSchema,
  Scope: contracts.scopeSchema,
  ScopePage: page('Scope'),
  Cluster: contracts.clusterSchema,
  Restore: contracts.restoreSchema,
  AcceptRestoreRequest: contracts.acceptRestoreRequestSchema,
  AcceptedRestore: contracts.acceptedRestoreSchema,
  Webhook: contracts.webhookSchema,
  WebhookPage: page('Webhook'),
  RetryWebhookRequest: contracts.retryWebhookRequestSchema,
  Health: contracts.healthSchema,
  Readiness: readinessSchema,
  Problem: problemSchema,
};

const NAMES = new Map<unknown, string>(
  Object.entries(NAMED_SCHEMAS).map(([name, schema]) => [schema, name]),
);

/** The named schemas, each with a reference in place of a part that has a name of its own. */
export const COMPONENT_SCHEMAS: Readonly<Record<string, Schema>> = Object.fromEntries(
  Object.entries(NAMED_SCHEMAS).map(([name, schema]) => [name, mapValues(schema, referring)]),
);

function referring(part: unknown): unknown {
  const name = NAMES.get(part);
  if (name !== undefined) return ref(name);
  if (Array.isArray(part)) return part.map(referring);
  return typeof part === 'object' && part !== null ? mapValues(part, referring) : part;
}

function mapValues(from: object, change: (value: unknown) => unknown): Schema {
  return Object.fromEntries(Object.entries(from).map(([key, value]) => [key, change(value)]));
}

export function ref(name: string): Schema {
  return { $ref: `#/components/schemas/${name}` };
}
