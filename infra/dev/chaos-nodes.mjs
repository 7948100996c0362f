#!/usr/bin/env node
// `npm run chaos [-- --minutes M | --seed N | --only FAULT | --times N | --list]`: builds, then harms
// control planes, PostgreSQL and NATS in processes of their own, and judges what everybody saw.
import { join } from 'node:path';
import { findNats } from './lib/nats-binary.mjs';
import { REPOSITORY } from './lib/repository.mjs';
import { runSources } from './lib/run-sources.mjs';
import { CHAOS, printUsage } from './lib/usage.mjs';

const args = process.argv.slice(2);
if (printUsage(CHAOS, args)) process.exit(0);
const toolsFolder = join(REPOSITORY, '.pawl-test', 'tools');
process.exit(
  await runSources(['test', 'chaos', 'nodes', 'main.ts'], async ({ main }, terminal) =>
    main(args, await findNats({ toolsFolder, terminal })),
  ),
);
