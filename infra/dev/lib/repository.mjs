import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Root folder of the repository. */
export const REPOSITORY = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');

export const CONTROL_PLANE = join(REPOSITORY, 'apps', 'control-plane', 'dist', 'main.js');
export const DEMO_FLEET = join(REPOSITORY, 'infra', 'dev', 'demo-fleet.mjs');
export const TSC = join(REPOSITORY, 'node_modules', 'typescript-native', 'bin', 'tsc');
