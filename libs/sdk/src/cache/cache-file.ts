import { helloSchema, snapshotSchema } from '@pawl/contracts';
import type { Address, AddressText, HeldSnapshot, Infer, Sha256 } from '@pawl/contracts';
import { compileShape } from '@pawl/contracts/validate';
import type { LastKnownGood } from '../applier/index.js';
import { messageOf } from '../errors.js';

/**
 * One address's file: a first line with the SHA-256 of everything after it, a header line of JSON,
 * and the canonical content. A file that was cut or changed anywhere does not verify.
 */
const MAGIC = 'pawl-last-known-good 1 ';
const HASH_LENGTH = 64;

const { installation, address, generation, version, inputs, hash } = snapshotSchema.properties;
const identitySchema = {
  type: 'object',
  required: ['workload', 'slot', 'labels'],
  properties: {
    workload: { type: 'string' },
    slot: { type: ['integer', 'null'], minimum: 0 },
    labels: helloSchema.properties.labels,
  },
} as const;
const headerSchema = {
  type: 'object',
  required: ['address', 'head', 'content'],
  properties: {
    address,
    head: {
      type: 'object',
      required: ['installation', 'generation', 'version', 'hash', 'inputs'],
      properties: {
        ...{ installation, generation, version, hash, inputs },
        // Files of before consumers had slots are without.
        identity: identitySchema,
        cohort: { type: 'string' },
      },
    },
    content: {
      type: 'object',
      required: ['hash', 'size', 'absent'],
      properties: {
        hash,
        size: { type: 'integer', minimum: 0 },
        absent: { type: 'boolean' },
      },
    },
  },
} as const;
type Header = Infer<typeof headerSchema>;
const faultsOf = compileShape(headerSchema);

export type DecodedFile =
  | { readonly ok: true; readonly record: LastKnownGood }
  | { readonly ok: false; readonly message: string };

export function encodeCacheFile(record: LastKnownGood, sha256: Sha256): string {
  const { head, content } = record;
  const header: Header = {
    address: record.address,
    head: headOnly(head),
    content: { hash: content.hash, size: content.size, absent: content.absent },
  };
  const body = `${JSON.stringify(header)}\n${content.text}`;
  return `${MAGIC}${sha256(body)}\n${body}`;
}

/** Reads a file of `expected`; any damage, and any other address, is told and nothing is used. */
export function decodeCacheFile(text: string, expected: AddressText, sha256: Sha256): DecodedFile {
  const bodyAt = MAGIC.length + HASH_LENGTH + 1;
  const body = text.slice(bodyAt);
  const intact =
    text.startsWith(MAGIC) &&
    text.charAt(bodyAt - 1) === '\n' &&
    text.slice(MAGIC.length, bodyAt - 1) === sha256(body);
  if (!intact) return { ok: false, message: 'is damaged: its hash does not match' };
  const end = body.indexOf('\n');
  try {
    const header = JSON.parse(body.slice(0, end)) as unknown;
    const [fault] = faultsOf(header);
    if (fault !== undefined) return { ok: false, message: `${fault.pointer} ${fault.message}` };
    return toRecord(header as Header, body.slice(end + 1), expected);
  } catch (thrown) {
    return { ok: false, message: messageOf(thrown) };
  }
}

function toRecord(header: Header, text: string, expected: AddressText): DecodedFile {
  if (header.address !== expected) {
    return { ok: false, message: `holds ${header.address}` };
  }
  const content = { ...header.content, text };
  return { ok: true, record: { address: expected, head: header.head, content } };
}

function headOnly(head: HeldSnapshot): HeldSnapshot {
  const { installation, generation, version, hash, inputs, identity, cohort } = head;
  return {
    ...{ installation, generation, version, hash, inputs },
    ...(identity === undefined ? {} : { identity }),
    ...(cohort === undefined ? {} : { cohort }),
  };
}

/** Characters of the address that stay readable in a file's name. */
const READABLE = 120;

/**
 * File name of an address in an installation (its name): readable, unique by hash, and short enough
 * for any file system however long the address is.
 */
export function cacheFileName(of: Address, installationName: string, sha256: Sha256): string {
  const readable = [...of.segments, of.document].join('.').slice(0, READABLE);
  const unique = sha256(`${installationName} ${of.text}`).slice(0, 16);
  return `${readable}-${unique}.lkg`;
}
