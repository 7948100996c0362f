#!/usr/bin/env node
// `npm run chaos:quorum [-- --minutes M | --seed N | --only NAME]`: builds, then harms quorums of
// real processes and judges what their clients saw.
import { runSources } from './lib/run-sources.mjs';
import { CHAOS_QUORUM, printUsage } from './lib/usage.mjs';

const args = process.argv.slice(2);
if (printUsage(CHAOS_QUORUM, args)) process.exit(0);
process.exit(await runSources(['test', 'chaos', 'main.ts'], ({ main }) => main(args)));
