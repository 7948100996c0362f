export { SimulatedDiskError, SimulatedFolder } from './simulated-folder.js';
export type { Crash, StorageOperation } from './simulated-folder.js';
export { ListMachine } from './list-machine.js';
