import { readdir } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { parseAddress } from '@pawl/contracts';
import { CliError, EXIT } from '../exit-codes.js';
import { fileReason } from '../file-reason.js';

/** A file and what it is for. */
export interface DefinitionFile {
  readonly file: string;
  readonly address: string;
  readonly kind: 'schema' | 'document';
}

const NAME = /^([^.]+)(?:\.([^.]+))??(\.schema)?\.(?:json|yaml|yml)$/;
const MAX_FILES = 10_000;

/**
 * Finds definitions in a folder: `acme/prod/checkout.yaml` is the document of `acme/prod/checkout`,
 * `checkout.limits.yaml` that of `acme/prod/checkout:limits`, and `.schema` before the ending makes
 * it the schema. Ancestors come first, schemas before documents.
 */
export async function findDefinitions(folder: string): Promise<DefinitionFile[]> {
  const names = await readdir(folder, { recursive: true, withFileTypes: true }).catch(
    (error: NodeJS.ErrnoException) => {
      const why =
        error.code === 'ENOTDIR'
          ? `${folder} is a file; apply takes a folder, whose paths are the addresses, and config put takes a file`
          : `cannot read ${folder}: ${fileReason(error)}`;
      throw new CliError(why, EXIT.usage);
    },
  );
  if (names.length > MAX_FILES) throw new CliError(`${folder} holds over ${MAX_FILES} files`);
  const found: DefinitionFile[] = [];
  for (const entry of names) {
    if (!entry.isFile() || !/\.(json|ya?ml)$/.test(entry.name)) continue;
    found.push(definitionFile(folder, join(entry.parentPath, entry.name)));
  }
  refuseTwins(found);
  const depth = ({ address }: DefinitionFile): number => address.split('/').length;
  return found.sort(
    (a, b) =>
      depth(a) - depth(b) || a.kind.localeCompare(b.kind) * -1 || (a.address < b.address ? -1 : 1),
  );
}

function refuseTwins(found: readonly DefinitionFile[]): void {
  const seen = new Map<string, string>();
  for (const { address, kind, file } of found) {
    const other = seen.get(`${kind} ${address}`);
    if (other !== undefined) {
      throw new CliError(`${other} and ${file} are both the ${kind} of ${address}`, EXIT.usage);
    }
    seen.set(`${kind} ${address}`, file);
  }
}

function definitionFile(folder: string, file: string): DefinitionFile {
  const parts = relative(folder, file).split(sep);
  const [, segment = '', document, schema] = NAME.exec(parts.pop() ?? '') ?? [];
  const scope = [...parts, segment].join('/');
  const address = document === undefined ? scope : `${scope}:${document}`;
  const parsed = parseAddress(address);
  if (!parsed.ok) {
    throw new CliError(`${file} names no address: ${parsed.message}`, EXIT.usage);
  }
  return { file, address: parsed.address.text, kind: schema === undefined ? 'document' : 'schema' };
}
