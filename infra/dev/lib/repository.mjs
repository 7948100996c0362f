import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Root folder of the repository. */
export const REPOSITORY = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');

const CONTROL_PLANE_BUILD = join(REPOSITORY, 'apps', 'control-plane', 'dist');
/** With all that it imports, in one file. */
export const CONTROL_PLANE = join(CONTROL_PLANE_BUILD, 'bundle', 'main.js');
const CLI_BUILD = join(REPOSITORY, 'apps', 'cli', 'dist');
/** The same of the `pawl` command; it lies where its own modules do, since it reads its manifest. */
export const CLI = join(CLI_BUILD, 'pawl.js');
/**
 * What is put in one file, and where: `entry` as the compiler made it.
 *
 * @type {readonly { entry: string, file: string }[]}
 */
export const BUNDLES = [
  { entry: join(CONTROL_PLANE_BUILD, 'main.js'), file: CONTROL_PLANE },
  { entry: join(CLI_BUILD, 'main.js'), file: CLI },
];
export const DEMO_FLEET = join(REPOSITORY, 'infra', 'dev', 'demo-fleet.mjs');
export const TSC = join(REPOSITORY, 'node_modules', 'typescript-native', 'bin', 'tsc');
export const WRITE_BUNDLE = join(REPOSITORY, 'infra', 'dev', 'write-bundle.mjs');
