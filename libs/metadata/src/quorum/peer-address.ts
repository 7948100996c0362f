/** Takes `host:port` apart; an address of IPv6 stands in brackets, which are not part of it. */
export function parseAddress(address: string): { readonly host: string; readonly port: number } {
  const colon = address.lastIndexOf(':');
  const host = address.slice(0, colon).replace(/^\[(.*)\]$/, '$1');
  return { host, port: Number(address.slice(colon + 1)) };
}

/** Whether {@link parseAddress} can make something of it. */
export function isAddress(address: string): boolean {
  const { host, port } = parseAddress(address);
  return host !== '' && Number.isInteger(port) && port >= 1 && port <= 65_535;
}

export function addressText({ host, port }: { host: string; port: number }): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}
