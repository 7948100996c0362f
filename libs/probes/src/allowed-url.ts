/** What a server may take for a slash, or for one step up, where we do not. */
const HIDDEN = /%2f|%5c|%2e/i;
/** So may `..;x`, to those that cut off what follows the semicolon, and what is encoded twice. */
const HIDDEN_STEP = /\/\.{1,2}(?:;|%3b)|%25/i;

export type AllowedUrl =
  | { readonly kind: 'allowed'; readonly url: URL }
  /** `why` goes on from the URL. */
  | { readonly kind: 'refused'; readonly why: string };

/**
 * Whether a URL is one of those that an operator allows: of the same scheme, host and port as one of
 * `prefixes`, and its path begins with that one's, up to a slash or the end. Both are compared as they are
 * resolved, so that `..` leads nowhere else.
 */
export function allowedUrl(text: string, prefixes: readonly string[]): AllowedUrl {
  if (!URL.canParse(text)) return refused('is not a URL');
  const url = new URL(text);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return refused('is not one of HTTP');
  if (url.username !== '' || url.password !== '') return refused('names a user or a password');
  if (HIDDEN.test(url.pathname)) return refused('has an encoded slash or dot in its path');
  if (HIDDEN_STEP.test(url.pathname)) {
    return refused('has a path that some servers read as another one');
  }
  const isBelow = prefixes.some((prefix) => startsWith(url, new URL(prefix)));
  if (!isBelow) return refused(notListed(prefixes));
  url.hash = '';
  return { kind: 'allowed', url };
}

function startsWith(url: URL, prefix: URL): boolean {
  const path = prefix.pathname.replace(/\/+$/, '');
  const isBelow = url.pathname === path || url.pathname.startsWith(`${path}/`);
  return url.origin === prefix.origin && isBelow;
}

function notListed(prefixes: readonly string[]): string {
  return prefixes.length === 0
    ? 'may not be called: set PAWL_GATE_URLS to beginnings of URLs that may, on every node'
    : `is none that PAWL_GATE_URLS allows: ${prefixes.join(', ')}`;
}

function refused(why: string): AllowedUrl {
  return { kind: 'refused', why };
}
