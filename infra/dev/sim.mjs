#!/usr/bin/env node
// `npm run sim [-- --seed N | --minutes M]`: builds, then runs the simulated consensus cluster.
import { runBuilt } from './lib/run-built.mjs';

process.exitCode = await runBuilt(['test', 'simulation', 'main.mjs'], process.argv.slice(2));
