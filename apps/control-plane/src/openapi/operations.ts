import { PAST_STATES, LIMITS, RELEASE_LIST_STATES } from '@pawl/contracts';
import { JSON_PATCH_TYPE, JSON_TYPE, MERGE_PATCH_TYPE } from '../http/json-body.js';
import type { Answer, Operation, Parameter } from './operation.js';
import {
  OF_ANY_REQUEST,
  OF_BODIES,
  OF_DOCUMENT_WRITES,
  OF_MERGES,
  OF_PATCHES,
  OF_PREFLIGHTS,
  OF_READS,
  OF_RELEASES,
  OF_RESTORES,
  OF_SCHEMA_WRITES,
  OF_VERSIONED_READS,
  OF_WRITES,
} from './problem-sets.js';

const address: Parameter = {
  name: 'address',
  in: 'path',
  required: true,
  description:
    'A scope of 1 to 8 segments and a document name, acme/prod/checkout:limits. Slashes and the colon are sent plainly; any % is refused.',
  schema: { type: 'string', minLength: 1, maxLength: 576 },
};

const query = (name: string, description: string, schema: Parameter['schema']): Parameter => ({
  name,
  in: 'query',
  description,
  schema,
});
const header = (name: string, description: string): Parameter => ({
  name,
  in: 'header',
  description,
  schema: { type: 'string' },
});

const versionNumber = { type: 'integer', minimum: 1 };
const version = query('version', 'Definition version; the newest when left out', versionNumber);
const page = [
  query('limit', 'Items per page', {
    type: 'integer',
    minimum: 1,
    maximum: LIMITS.pageMax,
    default: LIMITS.pageDefault,
  }),
  query('cursor', 'The "next" of the former page', { type: 'string' }),
];
const since = query('since', 'RFC 3339, or how long ago with s, m, h or d: 1h', { type: 'string' });
const releaseId: Parameter = {
  name: 'id',
  in: 'path',
  required: true,
  description: 'Of a release in stages, as the list has it',
  schema: { type: 'string', pattern: '^[A-Za-z0-9_-]{1,128}$' },
};
const actor = header('X-Pawl-Actor', 'Who asks; "anonymous" when left out');
const idempotencyKey = header(
  'Idempotency-Key',
  'Makes a retry safe for 24 h: 1 to 128 printable ASCII characters',
);
const ifMatch = header('If-Match', 'Versions in double quotes, any of which is expected; or *');
const ifNoneMatch = header('If-None-Match', '*: nothing is there yet. On reads: versions known');
const message = query('message', 'Why', { type: 'string', maxLength: LIMITS.messageLength });
const write = [address, message, ifMatch, ifNoneMatch, idempotencyKey, actor];

const json = (schema: string): Record<string, string> => ({ [JSON_TYPE]: schema });
const ok = (schema: string, description: string): Answer => ({
  status: 200,
  description,
  content: json(schema),
});
const unchanged: Answer = { status: 304, description: 'The caller has it', headers: ['ETag'] };
const later: Answer = {
  ...ok('Written', 'The next version, or the newest when nothing differs'),
  headers: ['ETag', 'Idempotency-Replayed'],
};
const written: readonly Answer[] = [
  {
    status: 201,
    description: 'The first version',
    content: json('Written'),
    headers: ['ETag', 'Location', 'Idempotency-Replayed'],
  },
  later,
];

function read(
  resource: string,
  operation: Omit<Operation, 'method' | 'path' | 'problems'> & Partial<Pick<Operation, 'problems'>>,
): Operation {
  return {
    method: 'get',
    path: `/v1/${resource}`,
    problems: OF_READS,
    ...operation,
  };
}

const writes: readonly Operation[] = [
  {
    method: 'put',
    path: '/v1/config/{address}',
    operationId: 'putConfig',
    summary: 'Write the next definition version, keeping its schema',
    parameters: write,
    body: json('Document'),
    answers: written,
    problems: OF_DOCUMENT_WRITES,
  },
  {
    method: 'patch',
    path: '/v1/config/{address}',
    operationId: 'patchConfig',
    summary: 'Write the next definition version as a patch over the newest',
    parameters: write,
    body: { [MERGE_PATCH_TYPE]: 'MergePatch', [JSON_PATCH_TYPE]: 'JsonPatch' },
    answers: [later],
    problems: OF_PATCHES,
  },
  {
    method: 'put',
    path: '/v1/schema/{address}',
    operationId: 'putSchema',
    summary: 'Write the next definition version with another schema, keeping its document',
    parameters: write,
    body: json('JsonSchema'),
    answers: written,
    problems: OF_SCHEMA_WRITES,
  },
  {
    method: 'delete',
    path: '/v1/schema/{address}',
    operationId: 'deleteSchema',
    summary: 'Write the next definition version without a schema',
    parameters: write,
    answers: [later],
    problems: OF_WRITES,
  },
  {
    method: 'post',
    path: '/v1/release/{address}',
    operationId: 'release',
    summary: 'Promote, all at once or in stages; advance, skip, pause, resume, abort, roll back …',
    parameters: [address, idempotencyKey, actor],
    body: json('ReleaseRequest'),
    answers: [{ ...ok('Release', 'The release state'), headers: ['Idempotency-Replayed'] }],
    problems: OF_RELEASES,
  },
  {
    method: 'post',
    path: '/v1/restore/accept',
    operationId: 'acceptRestore',
    summary: 'Accept PostgreSQL as the truth as it is, and publish it under the next generation',
    parameters: [actor],
    body: json('AcceptRestoreRequest'),
    answers: [ok('AcceptedRestore', 'The generation; accepted is false where nothing was behind')],
    problems: OF_RESTORES,
  },
  {
    method: 'post',
    path: '/v1/webhooks/retry',
    operationId: 'retryWebhook',
    summary: 'Try a webhook now, with all that was set aside there, also one that is gone',
    body: json('RetryWebhookRequest'),
    answers: [ok('Webhook', 'How it does')],
    problems: [...OF_BODIES, 'outcome-unknown'],
  },
  {
    method: 'post',
    path: '/v1/merge/{address}',
    operationId: 'merge',
    summary: 'Merge what changed at another address onto the newest version, or tell what that is',
    parameters: write,
    body: json('MergeRequest'),
    answers: [
      ...written.slice(0, 1),
      {
        ...later,
        description: 'The next version, or the newest; with dryRun what would be written',
        content: json('MergeAnswer'),
      },
    ],
    problems: OF_MERGES,
  },
  {
    method: 'post',
    path: '/v1/preview/{address}',
    operationId: 'preview',
    summary: 'What a change would do; changes nothing',
    parameters: [address],
    body: json('PreviewRequest'),
    answers: [ok('Preview', 'What it would do, also when it would be refused')],
    problems: OF_BODIES,
  },
  {
    method: 'post',
    path: '/v1/preflight/{address}',
    operationId: 'preflight',
    summary: 'What the live consumers make of a release before it is made; changes nothing',
    parameters: [address],
    body: json('PreflightRequest'),
    answers: [
      ok('Preflight', 'How they voted; valid is true when everyone who was asked accepted'),
    ],
    problems: OF_PREFLIGHTS,
  },
];

const reads: readonly Operation[] = [
  read('config/{address}', {
    operationId: 'getConfig',
    summary: 'A definition version',
    parameters: [address, version, ifMatch, ifNoneMatch],
    answers: [{ ...ok('Definition', 'The definition'), headers: ['ETag'] }, unchanged],
    problems: OF_VERSIONED_READS,
  }),
  read('schema/{address}', {
    operationId: 'getSchema',
    summary: 'The schema itself',
    parameters: [address, version, ifMatch, ifNoneMatch],
    answers: [{ ...ok('JsonSchema', 'The schema'), headers: ['ETag'] }, unchanged],
    problems: OF_VERSIONED_READS,
  }),
  read('release/{address}', {
    operationId: 'getRelease',
    summary: 'The release state',
    parameters: [address],
    answers: [ok('Release', 'The release state')],
  }),
  read('effective/{address}', {
    operationId: 'getEffective',
    summary: 'What is read there now',
    parameters: [
      address,
      query('consumerId', 'As this consumer reads it: as a candidate too', { type: 'string' }),
      query('workload', 'Its workload', { type: 'string' }),
      query('explain', 'Tell for each value which layer set it', { type: 'boolean' }),
    ],
    answers: [ok('Effective', 'The effective document')],
  }),
  read('rollout/{address}', {
    operationId: 'getRollout',
    summary: 'Published and applied; as an event stream, each time it changes',
    parameters: [address],
    answers: [
      {
        status: 200,
        description: 'The rollout; in the stream as the data of events "rollout"',
        content: { [JSON_TYPE]: 'Rollout', 'text/event-stream': 'string' },
      },
    ],
    problems: [...OF_READS, 'too-many-requests'],
  }),
  read('consumers/{address}', {
    operationId: 'listConsumers',
    summary: 'Who consumes it and what they run, or ran at a time',
    parameters: [
      address,
      query('at', 'What they ran then: RFC 3339, or how long ago: 30s, 15m, 2h, 7d', {
        type: 'string',
      }),
      query('state', 'Only those in this state; left with at alone', { enum: PAST_STATES }),
      query('workload', 'With at: only this one', { type: 'string' }),
      query('consumerId', 'With at: only this one', { type: 'string' }),
      ...page,
    ],
    answers: [ok('ConsumersNowOrThen', 'A page; with at a ConsumersThen')],
  }),
  read('history/{address}', {
    operationId: 'listHistory',
    summary: 'Definitions and releases, newest first',
    parameters: [address, ...page],
    answers: [ok('HistoryPage', 'A page')],
  }),
  read('diff/{address}', {
    operationId: 'diff',
    summary: 'RFC 6902 between two definition versions, or two addresses',
    parameters: [
      address,
      query('from', 'Definition version; required without "with"', versionNumber),
      query('to', 'Definition version, of "with" where that is given', versionNumber),
      query('with', 'Another address to compare with, the newest versions unless told', {
        type: 'string',
      }),
      query('effective', 'Compare what is read at both addresses now', { type: 'boolean' }),
    ],
    answers: [ok('Diff', 'The patch')],
  }),
  read('scopes', {
    operationId: 'listScopes',
    summary: 'Every known address',
    parameters: [query('prefix', 'Whole segments, acme/prod', { type: 'string' }), ...page],
    answers: [ok('ScopePage', 'A page')],
  }),
  read('cluster', {
    operationId: 'cluster',
    summary: 'Nodes, quorum, shards',
    answers: [ok('Cluster', 'The cluster')],
  }),
  read('restore', {
    operationId: 'restoreStatus',
    summary: 'What PostgreSQL lacks that was seen elsewhere, shard by shard',
    answers: [ok('Restore', 'Read-only shards, and why')],
  }),
  read('webhooks', {
    operationId: 'listWebhooks',
    summary: 'How the endpoints of webhooks do that the settings of this node name',
    answers: [ok('WebhookPage', 'All of them, in the order of the settings')],
  }),
  read('releases', {
    operationId: 'listReleases',
    summary:
      'Releases in stages under way, and what is queued, by address; or those that have ended, the last first',
    parameters: [
      query('state', 'Only those in this state; "ended" are told only when asked for', {
        enum: RELEASE_LIST_STATES,
      }),
      { ...since, description: `Only with state=ended: ${since.description}` },
      ...page,
    ],
    answers: [ok('ReleasesPage', 'A page: of ended ones where "state" asks for them')],
  }),
  read('releases/{id}', {
    operationId: 'sumUpRelease',
    summary:
      'What one of them has reached, over every address and workload; what became of one that has ended',
    parameters: [releaseId],
    answers: [ok('ReleaseTold', 'The release; "state" tells which')],
    problems: [...OF_READS, 'unknown-release'],
  }),
  read('changes', {
    operationId: 'listChanges',
    summary: 'Who changed what and why since a time, newest first: the audit',
    parameters: [since, ...page],
    answers: [ok('AuditPage', 'A page')],
  }),
  read('audit', {
    operationId: 'listAudit',
    summary: 'Who did what, newest first',
    parameters: [since, ...page],
    answers: [ok('AuditPage', 'A page')],
  }),
];

const probes: readonly Operation[] = [
  {
    method: 'get',
    path: '/healthz',
    operationId: 'health',
    summary: 'The process lives, and which installation it serves',
    answers: [ok('Health', 'It does')],
    problems: OF_ANY_REQUEST,
  },
  {
    method: 'get',
    path: '/readyz',
    operationId: 'readiness',
    summary: 'The next write succeeds',
    answers: [
      ok('Readiness', 'Ready'),
      { status: 503, description: 'Not ready, and why', content: json('Readiness') },
    ],
    problems: OF_ANY_REQUEST,
  },
  {
    method: 'get',
    path: '/metrics',
    operationId: 'metrics',
    summary: 'Prometheus metrics',
    answers: [{ status: 200, description: 'Metrics', content: { 'text/plain': 'string' } }],
    problems: OF_ANY_REQUEST,
  },
  {
    method: 'get',
    path: '/openapi.json',
    operationId: 'openapi',
    summary: 'This document',
    answers: [ok('Document', 'OpenAPI 3.1')],
    problems: OF_ANY_REQUEST,
  },
];

/** Every call that the server answers. A test compares this list with the routes registered. */
export const OPERATIONS: readonly Operation[] = [...writes, ...reads, ...probes];
