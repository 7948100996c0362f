#!/usr/bin/env node
// `npm run bench:quorum [-- puts reads …]`: builds, then prints the quorum's figures beside etcd's.
import { runBuilt } from './lib/run-built.mjs';

process.exitCode = await runBuilt(['test', 'bench', 'quorum', 'main.mjs'], process.argv.slice(2));
