export { runSeeds } from './run-seeds.js';
export type { SeedRange, SeedsResult } from './run-seeds.js';
export { SimulatedCluster } from './simulated-cluster.js';
export type { Reached, SimulationOptions, SimulationResult } from './simulated-cluster.js';
export type { MakeCore } from './simulated-node.js';
