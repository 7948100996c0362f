/** `host:port` of a URL as etcd's members have them; as it stands when it is no URL. */
export function addressOf(url: string): string {
  return url.replace(/^[a-z]+:\/\//, '').replace(/\/$/, '');
}

/** As the Cluster service takes it. Whether members use TLS is their own setting, not the URL's. */
export function peerUrl(address: string): string {
  return `http://${address}`;
}
