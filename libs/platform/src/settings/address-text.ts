import type { HostPort } from './settings.js';

/** As people and URLs write it: an address of IPv6 in brackets. */
export function addressText({ host, port }: HostPort): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}
