export * from './definition/definition.js';
export * from './release/release-state.js';
export * from './snapshot/snapshot-head.js';
