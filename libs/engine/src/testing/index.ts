export type { ConformanceCase } from './conformance.js';
export { FakeSavedStatus } from './fake-saved-status.js';
export { FakeSnapshotPublisher } from './fake-snapshot-publisher.js';
export { FakeStatusStore } from './fake-status-store.js';
export { FakeTruthStore } from './fake-truth-store.js';
export { statusStoreCases } from './status-store.conformance.js';
export type { StatusSubject } from './status-store.conformance.js';
export { truthStoreCases } from './truth-store.conformance.js';
export type { TruthSubject } from './truth-subject.js';
