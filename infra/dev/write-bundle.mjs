#!/usr/bin/env node
// Writes the bundle of the control plane from what the compiler made: see lib/bundle.mjs.
import { writeBundle } from './lib/write-bundle.mjs';

await writeBundle();
