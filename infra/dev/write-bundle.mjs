#!/usr/bin/env node
// Writes the bundles that are not up to date from what the compiler made: see lib/bundle.mjs.
import { writeBundles } from './lib/write-bundle.mjs';

await writeBundles();
