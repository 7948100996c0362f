import type { HostPort } from './settings.js';

const HOST_PORT = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})$/;

/** `host:port`, where an address of IPv6 is in brackets; `undefined` for anything else. */
export function parseHostPort(text: string): HostPort | undefined {
  const match = HOST_PORT.exec(text);
  if (match === null) return undefined;
  const port = Number(match[2]);
  return port > 65_535 ? undefined : { host: (match[1] ?? '').replace(/^\[|\]$/g, ''), port };
}

/** As people and URLs write it: an address of IPv6 in brackets. */
export function addressText({ host, port }: HostPort): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}
