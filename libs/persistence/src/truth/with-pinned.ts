import type { AddressText } from '@pawl/contracts';
import type { Definition } from '@pawl/domain';
import type { AddressImage } from '@pawl/engine';
import { assert } from '@pawl/kernel';
import type { AddressPart } from './load-addresses.js';

/**
 * Adds what addresses are pinned to: of what was loaded with them, or by `read`. Each version is read, and is in
 * memory, once.
 */
export async function withPinned(
  parts: readonly AddressPart[],
  read: (address: AddressText, version: number) => Promise<Definition | undefined>,
): Promise<AddressImage[]> {
  if (parts.every(({ release }) => release.pins.length === 0)) {
    return parts.map((part) => ({ ...part, pinned: [] }));
  }
  const known = new Map<string, Definition>();
  for (const { newest, stable, candidate } of parts) {
    for (const one of [newest, stable, candidate]) if (one !== null) known.set(keyOf(one), one);
  }
  const images: AddressImage[] = [];
  for (const part of parts) {
    const pinned: Definition[] = [];
    for (const { ancestor, version } of part.release.pins) {
      const key = keyOf({ address: ancestor, version });
      const definition = known.get(key) ?? (await read(ancestor, version));
      assert(definition !== undefined, `version ${version} of ${ancestor} is stored`);
      known.set(key, definition);
      pinned.push(definition);
    }
    images.push({ ...part, pinned });
  }
  return images;
}

function keyOf({ address, version }: Pick<Definition, 'address' | 'version'>): string {
  return `${address}@${version}`;
}
