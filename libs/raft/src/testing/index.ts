export { SimulatedDiskError, SimulatedFolder } from './simulated-folder.js';
export type { Crash, StorageOperation } from './simulated-folder.js';
export { ListMachine } from './list-machine.js';
export { runSeeds } from './simulation/index.js';
export type { SeedRange, SeedsResult } from './simulation/index.js';
export { TestAuthority } from './test-authority.js';
