import { existsSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { describeSettings } from '@pawl/platform';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { CONTROL_PLANE, REPOSITORY, TSC, WRITE_BUNDLE } from '../../infra/dev/lib/repository.mjs';

interface Service {
  readonly image: string;
  readonly build?: { readonly context: string; readonly dockerfile: string };
  readonly environment?: Readonly<Record<string, string>>;
  readonly ports: readonly string[];
  readonly volumes: readonly string[];
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, null>>;
}

const read = (path: string): string => readFileSync(join(REPOSITORY, path), 'utf8');
const compose = parse(read('docker-compose.yml')) as Compose;
const services = Object.entries(compose.services);
const settings = new Map(
  describeSettings().map(({ name, default: preset }): [string, string | null] => [name, preset]),
);

describe('docker-compose.yml', () => {
  it('runs PostgreSQL, NATS and the control plane', () => {
    expect(services.map(([name]) => name).sort()).toEqual(['control-plane', 'nats', 'postgres']);
  });

  it.each(services)('%s: the image is pinned to a whole version', (_, { image }) => {
    expect(image).toMatch(/^[a-z-]+:\d+\.\d+(\.\d+)?(-[a-z]+)?$/);
  });

  it.each(services)('%s: ports are published on loopback only', (_, { ports }) => {
    expect(ports.length).toBeGreaterThan(0);
    for (const port of ports)
      expect(port).toMatch(/^127\.0\.0\.1:\$\{PAWL_[A-Z]+_PORT:-\d+\}:\d+$/);
  });

  it('publishes the ports that npm start uses', () => {
    for (const [, { ports }] of services) {
      for (const port of ports) {
        const [, name = '', preset] = /\$\{([A-Z_]+):-(\d+)\}/.exec(port) ?? [];
        expect(settings.get(name), name).toBe(preset);
      }
    }
  });

  it.each(services)('%s: keeps its data in a volume that is declared', (_, { volumes }) => {
    expect(volumes.length).toBeGreaterThan(0);
    for (const volume of volumes)
      expect(Object.keys(compose.volumes)).toContain(volume.split(':')[0]);
  });

  it.each(services)('%s: health is checked, here or in the image', (name, service) => {
    const checked = service.healthcheck?.test[0] === 'CMD';
    expect(checked || (name === 'control-plane' && /^HEALTHCHECK/m.test(dockerfile))).toBe(true);
  });

  it('starts the control plane when what it needs is healthy', () => {
    const needs = compose.services['control-plane']?.depends_on ?? {};
    expect(Object.keys(needs).sort()).toEqual(['nats', 'postgres']);
    for (const { condition } of Object.values(needs)) expect(condition).toBe('service_healthy');
  });

  it('gives the control plane settings that exist', () => {
    const names = Object.keys(compose.services['control-plane']?.environment ?? {});
    expect(names).toEqual(expect.arrayContaining(['PAWL_POSTGRES_URL', 'PAWL_NATS_URL']));
    for (const name of names) expect(settings.has(name), name).toBe(true);
  });

  it('takes the password from the environment, the same for both sides', () => {
    const password = '${PAWL_POSTGRES_PASSWORD:-pawl-on-this-machine-only}';
    expect(compose.services['postgres']?.environment?.['POSTGRES_PASSWORD']).toBe(password);
    expect(compose.services['control-plane']?.environment?.['PAWL_POSTGRES_URL']).toBe(
      `postgresql://pawl:${password}@postgres:5432/pawl`,
    );
  });
});

const dockerfile = read('infra/docker/Dockerfile');
/** One entry per instruction, continued lines joined. */
const instructions = dockerfile
  .replaceAll(/\\\n/g, ' ')
  .split('\n')
  .filter((line) => /^[A-Z]+ /.test(line));

describe('infra/docker/Dockerfile', () => {
  it('builds in stages on one pinned Node 24', () => {
    const bases = instructions.filter((line) => line.startsWith('FROM '));
    expect(bases.length).toBeGreaterThan(1);
    for (const base of bases) expect(base).toMatch(/^FROM node:24\.\d+\.\d+-bookworm-slim\b/);
  });

  it('runs as an unprivileged user, from its own last stage on', () => {
    const last = instructions.slice(instructions.findLastIndex((line) => line.startsWith('FROM ')));
    const user = last.findIndex((line) => line === 'USER node');
    expect(user).toBeGreaterThan(0);
    expect(last.slice(user).some((line) => line.startsWith('RUN '))).toBe(false);
  });

  it('starts the file that npm start does, which the build makes of what the compiler made', () => {
    const command = instructions.findLast((line) => line.startsWith('CMD '));
    const started = JSON.parse(command?.slice('CMD '.length) ?? '[]') as string[];
    expect(started).toEqual(['node', relative(REPOSITORY, CONTROL_PLANE)]);
    const built = instructions.find((line) => line.includes(' -b '))?.split(/ +&& +/) ?? [];
    const [compiler, bundler] = [TSC, WRITE_BUNDLE].map((path) => relative(REPOSITORY, path));
    expect(built.slice(0, 2)).toEqual([
      expect.stringMatching(`^RUN node ${compiler} -b *$`),
      `node ${bundler}`,
    ]);
    const ignored = read('infra/docker/Dockerfile.dockerignore').split('\n');
    expect(ignored.indexOf('!infra/dev')).toBeGreaterThan(ignored.indexOf('infra'));
  });

  it('copies what exists and names settings that exist', () => {
    for (const path of [
      'package-lock.json',
      '.npmrc',
      'tsconfig.base.json',
      'apps/cli/bin/pawl.mjs',
    ]) {
      expect(existsSync(join(REPOSITORY, path)), path).toBe(true);
    }
    const named = dockerfile.match(/PAWL_[A-Z_]+/g) ?? [];
    expect(named.length).toBeGreaterThan(0);
    for (const name of named) expect(settings.has(name), name).toBe(true);
  });

  it('is given its context by the compose file, without what it would drag along', () => {
    const build = compose.services['control-plane']?.build;
    expect(build).toEqual({ context: '.', dockerfile: 'infra/docker/Dockerfile' });
    const ignored = read('infra/docker/Dockerfile.dockerignore').split('\n');
    expect(ignored).toEqual(
      expect.arrayContaining([
        '**/node_modules',
        '**/dist',
        '**/*.tsbuildinfo',
        '**/.pawl*',
        '.git',
      ]),
    );
  });
});
