import { readEndpoints } from '@pawl/platform';

const DEFAULT_URL = 'http://127.0.0.1:7400';

/** `PAWL_URL`, else what the node in the data folder wrote down, else the default. */
export async function serverUrl(
  env: Readonly<Record<string, string | undefined>>,
): Promise<string> {
  const given = env['PAWL_URL'];
  if (given !== undefined && given !== '') return given;
  const endpoints = await readEndpoints(env['PAWL_DATA_DIR'] ?? '.pawl');
  return endpoints?.http ?? DEFAULT_URL;
}
