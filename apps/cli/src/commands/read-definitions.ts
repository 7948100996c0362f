import { checkDocument, parseJson } from '@pawl/contracts';
import type { Problem } from '@pawl/contracts';
import type { CliContext } from '../context.js';
import { CliError, EXIT } from '../exit-codes.js';
import { readValue } from '../read-value.js';
import type { DefinitionFile } from './find-definitions.js';

export interface ReadFile extends DefinitionFile {
  /** JSON, which the control plane's reader takes. */
  readonly text: string;
}

/** Reads every file; throws a CliError that lists all that no control plane would take. */
export async function readDefinitions(
  { terminal }: CliContext,
  files: readonly DefinitionFile[],
): Promise<ReadFile[]> {
  const read: ReadFile[] = [];
  const faults: string[] = [];
  for (const file of files) {
    try {
      const text = await readValue(terminal, file.file);
      refuseFaulty(file, text);
      read.push({ ...file, text });
    } catch (error) {
      if (!(error instanceof CliError)) throw error;
      faults.push(error.message);
    }
  }
  if (faults.length === 0) return read;
  throw new CliError(`${faults.join('\n')}\nnothing was applied`, EXIT.usage);
}

/** Throws a CliError for what no control plane would take, whatever its state. */
export function refuseFaulty(file: DefinitionFile, text: string): void {
  const problem = judge(file, text);
  if (problem === undefined) return;
  throw new CliError(`${file.file}: ${faultText(file.file, problem)}`, EXIT.usage);
}

function judge({ address, kind }: DefinitionFile, text: string): Problem | undefined {
  const numbers = kind === 'schema' ? 'double' : 'exact';
  const parsed = parseJson(text.replace(/^\uFEFF/, ''), { numbers, address });
  if (!parsed.ok) return parsed.problem;
  if (kind === 'schema') return undefined;
  const document = checkDocument(parsed.value, address);
  return document.ok ? undefined : document.problem;
}

/** Where in a YAML file it is, its JSON cannot tell: the pointer says it. */
function faultText(file: string, { detail, errors }: Problem): string {
  const pointer = errors?.[0]?.pointer ?? '';
  const message = file.endsWith('.json')
    ? detail
    : detail.replace(/ \(line \d+, column \d+\)$/, '');
  return pointer === '' || message.includes(pointer) ? message : `${pointer}: ${message}`;
}
