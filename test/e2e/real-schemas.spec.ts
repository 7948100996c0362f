import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, extname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { canonicalize, type JsonValue } from '@pawl/contracts';
import { eventually } from '../support/eventually.js';
import { CLI, FIXTURES } from '../support/stack-paths.js';
import { startStack, type TestStack } from '../support/stack.js';

const REAL = join(FIXTURES, 'realdata');

/** A document as its author wrote it, and where this test puts it. */
interface RealDocument {
  readonly file: string;
  readonly address: string;
  /** JSON text of it. */
  readonly text: string;
}

interface RealSchema {
  readonly name: string;
  readonly scope: string;
  readonly text: string;
  readonly valid: readonly RealDocument[];
  readonly invalid: readonly RealDocument[];
}

const SCHEMAS = await readSchemas();

let stack: TestStack;
beforeAll(async () => {
  stack = await startStack();
});
afterAll(() => stack?.stop());

describe.each(SCHEMAS)('the real schema $name', ({ scope, text, valid, invalid }) => {
  it('is accepted and released on a scope of its own, without a document', async () => {
    const written = await stack.admin().putSchema(scope, { text });
    expect(written).toMatchObject({ address: scope, version: 1, warnings: [] });
    const release = await stack.admin().release(scope, { action: 'promote' });
    expect(release).toMatchObject({ state: 'idle', stableVersion: 1 });
    expect(await stack.admin().getSchema(scope)).toEqual(JSON.parse(text));
    expect(await stack.admin().getConfig(scope)).toMatchObject({ abstract: true });
  });

  it('lets every valid document through to a consumer, byte for byte', async () => {
    expect(valid.length).toBeGreaterThan(0);
    const pawl = await stack.connectSdk({ workload: 'reader', consumerId: basename(scope) });
    for (const { file, address, text: document } of valid) {
      const answer = await stack.send({
        method: 'PUT',
        path: `/v1/config/${address}`,
        body: document,
      });
      expect(answer, `${file}: ${answer.text}`).toMatchObject({ status: 201 });
      await stack.admin().release(address, { action: 'promote' });
      const scope = await pawl.open(address);
      const expected = canonicalize(JSON.parse(document) as JsonValue);
      await eventually(() => expect(bytesOf(scope.current), file).toBe(expected));
    }
    await pawl.close();
  });

  it('refuses every invalid document, says where it is wrong, and keeps nothing of it', async () => {
    expect(invalid.length).toBeGreaterThan(0);
    const truth = await stack.truth();
    for (const { file, address, text: document } of invalid) {
      const path = `/v1/config/${address}`;
      const answer = await stack.send({ method: 'PUT', path, body: document });
      expect(answer, `${file}: ${answer.text}`).toMatchObject({ status: 422 });
      expect(answer.headers.get('content-type')).toBe('application/problem+json');
      const { code, errors = [] } = answer.problem();
      expect(code, file).toBe('schema-violation');
      expect(errors.length, file).toBeGreaterThan(0);
      for (const error of errors) {
        expect(error.address, file).toBe(address);
        expect(error.message, file).not.toBe('');
        expect(pointsInto(JSON.parse(document), error.pointer), `${file} ${error.pointer}`).toBe(
          true,
        );
      }
      expect((await stack.send({ path })).status, file).toBe(404);
    }
    expect(await stack.truth()).toBe(truth);
  });
});

describe('the command line', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'pawl-real-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const pawl = (...args: string[]): Promise<{ stdout: string; stderr: string }> =>
    promisify(execFile)(process.execPath, [CLI, ...args, '-o', 'json'], {
      env: { ...process.env, PAWL_DATA_DIR: stack.controlPlane.dataFolder, PAWL_URL: '' },
    });

  it('applies a folder of a real schema and real documents as their authors wrote them', async () => {
    const kind = 'github-workflow';
    await mkdir(join(folder, 'cli', kind), { recursive: true });
    await cp(join(REAL, kind, 'schema.json'), join(folder, 'cli', `${kind}.schema.json`));
    const { valid } = SCHEMAS.find(({ name }) => name === kind)!;
    for (const { file, address } of valid) {
      const target = `${basename(address)}${extname(file)}`;
      await cp(join(REAL, kind, 'valid', file), join(folder, 'cli', kind, target));
    }
    const { stdout } = await pawl('apply', '-f', folder, '--promote');
    const applied = JSON.parse(stdout) as { address: string; result: string }[];
    const promoted = applied.filter(({ result }) => result === 'promoted');
    expect(promoted).toHaveLength(valid.length + 1);
    for (const { address, text, file } of valid) {
      const effective = await stack.admin().effective(`cli/${kind}/${basename(address)}`);
      expect(canonicalize(effective.document as JsonValue), file).toBe(
        canonicalize(JSON.parse(text) as JsonValue),
      );
    }
  });

  it('says where a real document is wrong', async () => {
    const { invalid } = SCHEMAS.find(({ name }) => name === 'github-workflow')!;
    for (const { file, address } of invalid) {
      const source = join(REAL, 'github-workflow', 'invalid', file);
      const refused = await pawl('config', 'put', address, '-f', source).then(
        () => undefined,
        (error: { code: number; stderr: string }) => error,
      );
      expect(refused?.code, file).toBe(1);
      expect(refused?.stderr, file).toContain(`The schema refuses this`);
      expect(refused?.stderr, file).toContain(`  ${address}`);
    }
  });
});

async function readSchemas(): Promise<RealSchema[]> {
  const entries = await readdir(REAL, { withFileTypes: true });
  const names = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  return Promise.all(
    names.sort().map(async (name) => {
      const scope = `real/${segment(name)}`;
      return {
        name,
        scope,
        text: await readFile(join(REAL, name, 'schema.json'), 'utf8'),
        valid: await readDocuments(join(REAL, name, 'valid'), `${scope}/valid`),
        invalid: await readDocuments(join(REAL, name, 'invalid'), `${scope}/invalid`),
      };
    }),
  );
}

async function readDocuments(folder: string, prefix: string): Promise<RealDocument[]> {
  const files = (await readdir(folder)).sort();
  return Promise.all(
    files.map(async (file, n) => {
      const text = await readFile(join(folder, file), 'utf8');
      return {
        file,
        address: `${prefix}-${n}-${segment(file)}`,
        text: file.endsWith('.json') ? text : JSON.stringify(parse(text, { merge: true })),
      };
    }),
  );
}

/** Canonical bytes of what a consumer reads; a consumer that came early reads nothing yet. */
function bytesOf(document: unknown): string {
  return document === undefined ? 'absent' : canonicalize(document as JsonValue);
}

/** A file name in the letters that an address takes. */
function segment(name: string): string {
  return name
    .toLowerCase()
    .replaceAll(/[^a-z0-9_-]/g, '-')
    .slice(0, 40);
}

/** Whether a JSON Pointer (RFC 6901) leads to something in the document. */
function pointsInto(document: unknown, pointer: string): boolean {
  if (pointer === '') return true;
  if (!pointer.startsWith('/')) return false;
  let value = document;
  for (const token of pointer.slice(1).split('/')) {
    const key = token.replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return false;
    value = (value as Readonly<Record<string, unknown>>)[key];
  }
  return true;
}
