import { assert } from '@pawl/kernel';
import type { AddressText } from '@pawl/contracts';
import type { Changeset, NewDefinition, NewRelease, NewSnapshot } from '@pawl/engine';

export interface EncodedChangeset {
  /** Arguments of `pawl_commit` from `p_root` to `p_idempotency`; `null` for a part that is empty. */
  readonly values: readonly unknown[];
  /** Long texts, which the JSON among the values names by position from 1. */
  readonly texts: readonly string[];
}

/** Writes a changeset as the arguments of `pawl_commit`. Every address must lie under its root. */
export function encodeChangeset(changeset: Changeset): EncodedChangeset {
  checkRoot(changeset);
  const texts: string[] = [];
  const position = (text: string | undefined): number | null =>
    text === undefined ? null : texts.push(text);
  return {
    values: [
      changeset.root,
      json(changeset.definitions.map((definition) => encodeDefinition(definition, position))),
      json(changeset.releases.map(encodeRelease)),
      json(changeset.snapshots.map(encodeSnapshot)),
      addresses(changeset.opened),
      addresses(changeset.forgotten),
      json(changeset.history),
      changeset.idempotency === null ? null : JSON.stringify(changeset.idempotency),
    ],
    texts,
  };
}

function encodeDefinition(
  definition: NewDefinition,
  position: (text: string | undefined) => number | null,
): unknown {
  const { address, version, author, createdAt, message, document, schema } = definition;
  return {
    address,
    version,
    document: position(document?.text),
    documentHash: document?.hash,
    schema: position(schema?.text),
    schemaHash: schema?.hash,
    author,
    createdAt,
    message,
  };
}

function encodeRelease({ address, next }: NewRelease): unknown {
  return { address, ...next };
}

function encodeSnapshot(snapshot: NewSnapshot): unknown {
  const { address, generation, version, hash, inputs, variant } = snapshot;
  return {
    address,
    generation,
    version,
    hash,
    inputs,
    variantHash: variant.hash,
    variantSize: variant.size,
    variantAbsent: variant.absent,
  };
}

function json(items: readonly unknown[]): string | null {
  return items.length === 0 ? null : JSON.stringify(items);
}

function addresses(items: readonly AddressText[]): readonly AddressText[] | null {
  return items.length === 0 ? null : items;
}

function checkRoot(changeset: Changeset): void {
  const { root, definitions, releases, snapshots, history, opened, forgotten } = changeset;
  const items = [definitions, releases, snapshots, history].flat();
  for (const address of [...items.map((item) => item.address), ...opened, ...forgotten]) {
    const inside =
      address.startsWith(root) && (address.length === root.length || isEnd(address[root.length]));
    assert(inside, `"${address}" lies under the changeset's root "${root}"`);
  }
}

function isEnd(character: string | undefined): boolean {
  return character === '/' || character === ':';
}
