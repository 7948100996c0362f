#!/usr/bin/env node
// `npm run sim [-- --seed N | --minutes M]`: builds, then runs the simulated consensus cluster.
import { runBuilt } from './lib/run-built.mjs';
import { printUsage, SIM } from './lib/usage.mjs';

const args = process.argv.slice(2);
if (!printUsage(SIM, args)) {
  process.exitCode = await runBuilt(['test', 'simulation', 'main.mjs'], args);
}
