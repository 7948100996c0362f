import { fileURLToPath } from 'node:url';

const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));

/** Root folder of the repository. */
export const REPOSITORY = path('../..');
export const FIXTURES = path('../fixtures');
export const EXAMPLES = path('../../examples');
/** The `pawl` command, from the build. */
export const CLI = path('../../apps/cli/bin/pawl.mjs');
/** A consumer that prints what happens to it. */
export const CONSUMER = path('./stack-consumer.mjs');
