import { assert } from '@pawl/kernel';
import type { AddressText } from '@pawl/contracts';
import type { Changeset, HistoryEntry, NewDefinition, NewRelease, NewSnapshot } from '@pawl/engine';
import { storableText } from '../storable-text.js';

export interface EncodedChangeset {
  /**
   * Arguments between the token and the texts: of `pawl_commit` from `p_root` to `p_idempotency`, with
   * `null` for a part that is empty; of `pawl_commit_all` its `p_changesets`.
   */
  readonly values: readonly unknown[];
  /** Long texts, which the JSON among the values names by position from 1. */
  readonly texts: readonly string[];
}

/** Collects the long texts of a commit. */
class LongTexts {
  readonly all: string[] = [];
  readonly #positions = new Map<string, number>();

  add(text: string): number {
    return this.all.push(text);
  }

  /** The same position for the same text: of what many rows have in common. */
  share(text: string): number {
    const position = this.#positions.get(text) ?? this.add(text);
    this.#positions.set(text, position);
    return position;
  }
}

/** Writes a changeset as the arguments of `pawl_commit`. Every address must lie under its root. */
export function encodeChangeset(changeset: Changeset): EncodedChangeset {
  const texts = new LongTexts();
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
    texts: texts.all,
  };
}

/** Writes changesets as the arguments of `pawl_commit_all`, likewise. */
export function encodeChangesets(changesets: readonly Changeset[]): EncodedChangeset {
  const texts = new LongTexts();
  const parts = changesets.map((changeset) => encodeParts(changeset, texts));
  return { values: [JSON.stringify(parts)], texts: texts.all };
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
function encodeParts(changeset: Changeset, texts: LongTexts): EncodedParts {
  checkRoot(changeset);
  return {
    root: changeset.root,
    definitions: some(changeset.definitions.map((each) => encodeDefinition(each, texts))),
    releases: some(changeset.releases.map((each) => encodeRelease(each, texts))),
    snapshots: some(changeset.snapshots.map((each) => encodeSnapshot(each, texts))),
    opened: some(changeset.opened),
    forgotten: some(changeset.forgotten),
    history: some(changeset.history.map(encodeHistory)),
    idempotency: changeset.idempotency,
  };
}

function encodeDefinition(definition: NewDefinition, texts: LongTexts): unknown {
  const { address, version, author, createdAt, message, document, schema, origin } = definition;
  return {
    address,
    version,
    document: document && texts.add(document.text),
    documentHash: document?.hash,
    schema: schema && texts.add(schema.text),
    schemaHash: schema?.hash,
    author,
    createdAt,
    message,
    originAddress: origin?.address,
    originVersion: origin?.version,
    originBaseVersion: origin?.baseVersion,
  };
}

/** A reason may hold what a consumer said, whatever that is: it must not keep a release from being stopped. */
function encodeHistory(entry: HistoryEntry): HistoryEntry {
  const { reason } = entry;
  return reason === undefined ? entry : { ...entry, reason: storableText(reason) };
}

/**
 * `candidateVersion` says that this node knows of releases in stages, 0 where none is under way;
 * `queuedVersion` that it knows of promotes that begin later, and `pinCount` of pins, likewise.
 */
function encodeRelease({ address, next }: NewRelease, texts: LongTexts): unknown {
  const { staged, queued, pins } = next;
  return {
    address,
    ...next,
    staged: staged && texts.add(JSON.stringify(staged)),
    candidateVersion: staged?.candidateVersion ?? 0,
    queued: queued && texts.add(JSON.stringify(queued)),
    queuedVersion: queued?.targetVersion ?? 0,
    pins: pins.length === 0 ? null : texts.add(JSON.stringify(pins)),
    pinCount: pins.length,
  };
}

function encodeSnapshot(snapshot: NewSnapshot, texts: LongTexts): unknown {
  const { address, generation, version, hash, inputs, variant, releases, cohorts } = snapshot;
  return {
    address,
    generation,
    version,
    hash,
    inputs,
    variantHash: variant.hash,
    variantSize: variant.size,
    variantAbsent: variant.absent,
    releases: releases.length === 0 ? null : texts.share(JSON.stringify(releases)),
    cohorts,
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
