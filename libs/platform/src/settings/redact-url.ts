/**
 * A URL (or several, separated by commas) fit for logs and files: without user, password and query.
 * What is not a URL becomes `(not a URL)`, because it may be a secret in the wrong place.
 */
export function redactUrl(value: string): string {
  return value
    .split(',')
    .map((part) => redactOne(part.trim()))
    .join(',');
}

function redactOne(value: string): string {
  if (!URL.canParse(value)) return '(not a URL)';
  const url = new URL(value);
  url.username = '';
  url.password = '';
  url.search = '';
  url.hash = '';
  return url.href;
}
