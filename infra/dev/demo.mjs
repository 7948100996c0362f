#!/usr/bin/env node
// `npm run demo`: repeats the first rollout on what runs.
import { demo } from './lib/demo.mjs';

process.exit(await demo(process.argv.slice(2)));
