/** The database belongs to another installation, or to one with another number of shards. */
export class InstallationMismatchError extends Error {
  override readonly name = 'InstallationMismatchError';
}

/**
 * A text that PostgreSQL cannot hold was to be written: U+0000, or half a surrogate pair. Nothing was
 * written.
 */
export class UnstorableTextError extends Error {
  override readonly name = 'UnstorableTextError';
}
