import type { Infer } from '../messages/infer.js';
import * as part from '../messages/parts.js';
import { problemErrorSchema } from './problem-error.js';

/** Where a definition version came from: what changed at another address between two of its versions. */
export const mergeOriginSchema = {
  type: 'object',
  required: ['address', 'version', 'baseVersion'],
  properties: {
    address: part.address,
    version: part.version,
    /** What the changes are counted from; 0: from nothing, so that all of `version` is new. */
    baseVersion: part.counter,
  },
} as const;
export type MergeOrigin = Infer<typeof mergeOriginSchema>;

/** What {@link mergeRequestSchema} names the schema by, which has no place in the document. */
export const SCHEMA_PART = 'schema';

/** Which side conflicts take: by a JSON Pointer at or above them, the longest counts, or `schema`. */
export const mergeResolveSchema = {
  type: 'object',
  maxProperties: 1000,
  propertyNames: { pattern: '^$|^/|^schema$' },
  additionalProperties: { enum: ['ours', 'theirs'] },
} as const;
export type MergeResolve = Infer<typeof mergeResolveSchema>;

export const mergeRequestSchema = {
  type: 'object',
  required: ['from'],
  additionalProperties: false,
  properties: {
    /** The address whose changes are merged. */
    from: part.address,
    /** Up to this version of it; the newest when left out. */
    fromVersion: part.version,
    /**
     * Counted from this version of it, 0 for nothing; when left out from the one that was merged last, and
     * from nothing where there is nothing yet to merge onto.
     */
    baseVersion: part.counter,
    resolve: mergeResolveSchema,
    /** Tell what would be written, and write nothing. */
    dryRun: { type: 'boolean' },
  },
} as const;
export type MergeRequest = Infer<typeof mergeRequestSchema>;

/** A place that both sides changed, and not to the same; a value that is left out is not there. */
export const mergeConflictSchema = {
  type: 'object',
  required: ['part', 'pointer'],
  properties: {
    /** The values of a schema are not told. */
    part: { enum: ['document', 'schema'] },
    pointer: { type: 'string' },
    base: {},
    theirs: {},
    ours: {},
  },
} as const;
export type MergeConflictView = Infer<typeof mergeConflictSchema>;

/** What a merge would write. */
export const mergeSchema = {
  type: 'object',
  required: [
    ...['address', 'version', 'origin', 'changed', 'patch', 'schema'],
    ...['conflicts', 'conflictCount', 'kept', 'keptCount', 'warnings'],
  ],
  properties: {
    address: part.address,
    /** The newest version there, which is merged onto; 0: none. */
    version: part.counter,
    origin: mergeOriginSchema,
    /** Whether a version would be written. */
    changed: { type: 'boolean' },
    /** RFC 6902, from the newest document to the one that would be written; conflicts stay as they are. */
    patch: { type: 'array', items: { type: 'object' } },
    /** `taken`: that of the source; `kept`: that which is there, or none. */
    schema: { enum: ['kept', 'taken'] },
    /** At most 100. While there are any nothing can be written. */
    conflicts: { type: 'array', items: mergeConflictSchema },
    conflictCount: part.counter,
    /** Places, at most 100, that were changed at the source and stay, because they are local. */
    kept: { type: 'array', items: { type: 'string' } },
    keptCount: part.counter,
    /** As of a write. */
    warnings: { type: 'array', items: problemErrorSchema },
  },
} as const;
export type MergeView = Infer<typeof mergeSchema>;

/** The document and the schema of one version. */
const content = {
  type: 'object',
  /** Left out where there is none. */
  properties: { document: { type: 'object' }, schema: {} },
} as const;

/** What a source had before and has now, as its owner told it, and how to merge that. */
export const sourceChangeSchema = {
  type: 'object',
  required: ['origin', 'base', 'theirs', 'resolve'],
  properties: {
    origin: mergeOriginSchema,
    base: content,
    theirs: content,
    resolve: mergeResolveSchema,
  },
} as const;
export type SourceChange = Infer<typeof sourceChangeSchema>;
export type SourceContent = SourceChange['base'];
