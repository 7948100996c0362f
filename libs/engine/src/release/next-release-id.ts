import type { Address } from '@pawl/contracts';
import type { ReleaseState } from '@pawl/domain';
import { installationText } from '../engine-context.js';
import type { EngineContext } from '../engine-context.js';

/** Of the release that comes next: unlike every other, as a release version is had once in a generation. */
export function nextReleaseId(
  { installation, sha256 }: Pick<EngineContext, 'installation' | 'sha256'>,
  generation: number,
  of: { readonly address: Address; readonly release: ReleaseState },
): string {
  const version = of.release.releaseVersion + 1;
  const name = [installationText(installation), of.address.text, generation, version].join(' ');
  return sha256(name).slice(0, 16);
}
