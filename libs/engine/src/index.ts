export * from './config-engine.js';
export * from './config/schema-validator.port.js';
export * from './publication/snapshot-publisher.port.js';
export * from './sharding/fence.js';
export * from './sharding/shard-ownership.port.js';
export * from './sharding/truth-store.port.js';
export * from './status/status-store.port.js';
