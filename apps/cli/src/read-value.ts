import { isUtf8 } from 'node:buffer';
import { readFile } from 'node:fs/promises';
import { CliError, EXIT } from './exit-codes.js';
import { fileReason } from './file-reason.js';
import type { Terminal } from './terminal.js';
import { yamlToJson } from './yaml-to-json.js';

/** Reads `file` (`-`: standard input) and answers its JSON text; YAML unless it is JSON. */
export async function readValue(terminal: Terminal, file: string): Promise<string> {
  const text = file === '-' ? await terminal.readInput() : await readText(file);
  return isJson(file, text) ? text : yamlToJson(text, file === '-' ? 'standard input' : file);
}

/** Whether a file is read as JSON as it stands. */
function isJson(file: string, text: string): boolean {
  if (file.endsWith('.json')) return true;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

async function readText(file: string): Promise<string> {
  let bytes: Buffer;
  try {
    bytes = await readFile(file);
  } catch (error) {
    throw new CliError(`cannot read ${file}: ${fileReason(error)}`, EXIT.usage);
  }
  if (!isUtf8(bytes)) throw new CliError(`${file} is not UTF-8`, EXIT.usage);
  return bytes.toString('utf8');
}
