export { metadataStoreConformance } from './metadata-store.conformance.js';
export type { StoreUnderTest } from './metadata-store.conformance.js';
export { SimulatedLog } from './simulated-log.js';
export type { SimulatedDisk, SimulatedLogSettings } from './simulated-log.js';
export { SimulatedLogs } from './simulated-logs.js';
export type { SimulatedProcess } from './simulated-logs.js';
export { SimulatedNetwork } from './simulated-network.js';
export type { NetworkFaults } from './simulated-network.js';
export { ProcessTime, SimulatedTime, settle } from './simulated-time.js';
