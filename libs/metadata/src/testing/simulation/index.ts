export { runWorlds } from './run-worlds.js';
export type { WorldsReport } from './run-worlds.js';
