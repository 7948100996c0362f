export { metadataStoreConformance } from './metadata-store.conformance.js';
export type { StoreUnderTest } from './metadata-store.conformance.js';
