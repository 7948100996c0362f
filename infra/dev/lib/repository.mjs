import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Root folder of the repository. */
export const REPOSITORY = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');

const CONTROL_PLANE_BUILD = join(REPOSITORY, 'apps', 'control-plane', 'dist');
/** As the compiler made it. */
export const CONTROL_PLANE_ENTRY = join(CONTROL_PLANE_BUILD, 'main.js');
/** The same with all that it imports, in one file. */
export const CONTROL_PLANE = join(CONTROL_PLANE_BUILD, 'bundle', 'main.js');
export const DEMO_FLEET = join(REPOSITORY, 'infra', 'dev', 'demo-fleet.mjs');
export const TSC = join(REPOSITORY, 'node_modules', 'typescript-native', 'bin', 'tsc');
export const WRITE_BUNDLE = join(REPOSITORY, 'infra', 'dev', 'write-bundle.mjs');
