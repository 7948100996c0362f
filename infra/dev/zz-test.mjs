#!/usr/bin/env node
// `npm test`: installs and builds what is missing, then runs every check and every test. Arguments
// after -- go to vitest, which then runs alone; --node24 repeats the unit tests on Node 24.
import { testAll } from './lib/zz-test-all.mjs';
import { printUsage, TEST } from './lib/usage.mjs';

const args = process.argv.slice(2);
process.exit(printUsage(TEST, args) ? 0 : await testAll(args));
