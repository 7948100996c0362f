#!/usr/bin/env node
// `npm run bench [-- put fanout …]`: builds, then prints figures and their ratios to the bare limits.
import { runBuilt } from './lib/run-built.mjs';
import { createTerminal } from './lib/terminal.mjs';

const HELP = `Prints figures and their ratios to the bare limits, measured by turns in one run.

Usage: npm run bench [put|fanout|reads|recompute|wire|releases|preflight|flip|nodes …]

  put         a PUT, beside the bare transaction with and without HTTP
  fanout      from publication until the last consumer has applied, beside a bare publish
  reads       a read of local memory, beside a plain property and a Map; a report of health
  recompute   an edit at a root with 1,000 addresses below
  wire        bytes to a consumer for one changed key of a 64 KiB document
  releases    a release in stages: a bad one from the first rejection until it is taken back, beside a
              promote and its rollback; status, and what watching costs, with 10,000 consumers
  preflight   10,000 consumers (or BENCH_CONSUMERS) on three builds are asked, 50 reject; processor time
              for 1,000 acks with a release and its gates, and without
  flip        a promote that a preflight has prepared until it is applied, beside a bare publish
  nodes       three nodes: a PUT through another than the owner, and by the number of shards; kill -9, stop
              and restart of nodes

Without a name all of them run, one after the other.
`;

const args = process.argv.slice(2);
if (args.includes('--help') || args.includes('-h')) createTerminal().line(HELP.trimEnd());
else process.exitCode = await runBuilt(['test', 'bench', 'main.mjs'], args);
