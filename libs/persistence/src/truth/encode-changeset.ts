import { assert } from '@pawl/kernel';
import type { AddressText } from '@pawl/contracts';
import type { Changeset, NewDefinition, NewRelease, NewSnapshot } from '@pawl/engine';

export interface EncodedChangeset {
  /**
   * Arguments between the token and the texts: of `pawl_commit` from `p_root` to `p_idempotency`, with
   * `null` for a part that is empty; of `pawl_commit_all` its `p_changesets`.
   */
  readonly values: readonly unknown[];
  /** Long texts, which the JSON among the values names by position from 1. */
  readonly texts: readonly string[];
}

/** Writes a changeset as the arguments of `pawl_commit`. Every address must lie under its root. */
export function encodeChangeset(changeset: Changeset): EncodedChangeset {
  const texts: string[] = [];
  const parts = encodeParts(changeset, texts);
  const json = (part: unknown): string | null => (part === null ? null : JSON.stringify(part));
  return {
    values: [
      parts.root,
      json(parts.definitions),
      json(parts.releases),
      json(parts.snapshots),
      parts.opened,
      parts.forgotten,
      json(parts.history),
      json(parts.idempotency),
    ],
    texts,
  };
}

/** Writes changesets as the arguments of `pawl_commit_all`, likewise. */
export function encodeChangesets(changesets: readonly Changeset[]): EncodedChangeset {
  const texts: string[] = [];
  const parts = changesets.map((changeset) => encodeParts(changeset, texts));
  return { values: [JSON.stringify(parts)], texts };
}

interface EncodedParts {
  readonly root: string;
  readonly definitions: readonly unknown[] | null;
  readonly releases: readonly unknown[] | null;
  readonly snapshots: readonly unknown[] | null;
  readonly opened: readonly AddressText[] | null;
  readonly forgotten: readonly AddressText[] | null;
  readonly history: readonly unknown[] | null;
  readonly idempotency: unknown;
}

/** `null` for a part that is empty. Long texts are added to `texts`. */
function encodeParts(changeset: Changeset, texts: string[]): EncodedParts {
  checkRoot(changeset);
  const position = (text: string | undefined): number | null =>
    text === undefined ? null : texts.push(text);
  return {
    root: changeset.root,
    definitions: some(changeset.definitions.map((each) => encodeDefinition(each, position))),
    releases: some(changeset.releases.map(encodeRelease)),
    snapshots: some(changeset.snapshots.map(encodeSnapshot)),
    opened: some(changeset.opened),
    forgotten: some(changeset.forgotten),
    history: some(changeset.history),
    idempotency: changeset.idempotency,
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

function some<T>(items: readonly T[]): readonly T[] | null {
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
