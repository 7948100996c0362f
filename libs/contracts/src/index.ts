export * from './address.js';
export { murmur3 } from './hash/murmur3.js';
export { shardOf } from './hash/shard-of.js';
export {
  LATENCY_BOUNDS_MS,
  LATENCY_BUCKETS,
  latencyBucketOf,
  quantileOf,
} from './health/latency-buckets.js';
export { canonicalize } from './json/canonicalize.js';
export { checkDocument, DIRECTIVE } from './json/directives.js';
export * from './json/json-value.js';
export { mergeDocument } from './json/merge-document.js';
export { mergePatch } from './json/merge-patch.js';
export { parseJson } from './json/parse-json.js';
export type { ParseJsonOptions } from './json/parse-json.js';
export { joinPointer } from './json/pointer.js';
export { hasLoneSurrogate, utf8Length } from './json/unicode.js';
export * from './limits.js';
export * from './messages/ack.message.js';
export * from './messages/command.message.js';
export * from './messages/content.message.js';
export * from './messages/hello.message.js';
export type { Infer } from './messages/infer.js';
export { FORMAT } from './messages/parts.js';
export * from './messages/prepare.message.js';
export * from './messages/push.message.js';
export * from './messages/release-event.message.js';
export * from './messages/snapshot.message.js';
export * from './messages/subjects.js';
export * from './messages/vote.message.js';
export * from './problems.js';
export * from './rest/consumers-then.js';
export * from './rest/gate-results.js';
export * from './rest/diff-view.js';
export * from './rest/ended-release.js';
export * from './rest/merge-views.js';
export * from './rest/preflight-views.js';
export { problemErrorSchema } from './rest/problem-error.js';
export * from './rest/preview-views.js';
export * from './rest/freeze-view.js';
export * from './rest/pin-views.js';
export * from './rest/queued-view.js';
export * from './rest/release-end.js';
export * from './rest/release-list.js';
export * from './rest/release-policy.js';
export * from './rest/restore-views.js';
export * from './rest/rollout-release.js';
export * from './rest/strategy.js';
export * from './rest/views.js';
export * from './rest/webhook-views.js';
export type { Sha256 } from './sha256.js';
export {
  BUCKETS,
  bucketOf,
  cohortKey,
  cohortOf,
  isCandidate,
  isSelected,
  isSameIdentity,
  slotName,
} from './snapshot/cohort.js';
export type { ConsumerIdentity } from './snapshot/cohort.js';
export { cohortHeld, heldBy } from './snapshot/held-snapshot.js';
export type { HeldSnapshot } from './snapshot/held-snapshot.js';
export { isHigher } from './snapshot/is-higher.js';
export type { Versioned } from './snapshot/is-higher.js';
export { judgeSnapshot } from './snapshot/judge-snapshot.js';
export type { Judgement } from './snapshot/judge-snapshot.js';
export {
  provesItsHash,
  pushText,
  snapshotText,
  snapshotTextIn,
} from './snapshot/published-text.js';
export { snapshotHash } from './snapshot/snapshot-hash.js';
export type { HashedSnapshot } from './snapshot/snapshot-hash.js';
