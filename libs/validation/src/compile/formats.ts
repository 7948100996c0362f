import type { Format } from 'ajv';
import { fullFormats } from 'ajv-formats/dist/formats.js';

/** A host name has at most 253 characters; with port and room to spare. */
const MAX_AUTHORITY_LENGTH = 300;

/**
 * `url` of ajv-formats, whose own expression takes quadratic time to look for a user name: here it
 * sees one short host at a time.
 */
function isUrl(text: string): boolean {
  const scheme = /^(?:https?|ftp):\/\//i.exec(text)?.[0];
  if (scheme === undefined || /\s/.test(text)) return false;
  for (let from = scheme.length, slash = from; ;) {
    if (slash >= 0 && slash <= from) slash = text.indexOf('/', from);
    const authority = slash < 0 ? text.slice(from) : text.slice(from, slash);
    const user = text.indexOf('@', Math.max(from, scheme.length + 1));
    if (!authority.includes('@') && isHost(authority)) return true;
    if (user < 0) return false;
    from = user + 1;
  }
}

function isHost(authority: string): boolean {
  return (
    authority.length <= MAX_AUTHORITY_LENGTH &&
    (fullFormats.url as RegExp).test(`http://${authority}/`)
  );
}

/**
 * The formats that are asserted; any other is an annotation. All take time linear in the string: the
 * spec beside tries each with long strings made to send expressions back and forth.
 */
export const FORMATS: Readonly<Record<string, Format>> = { ...fullFormats, url: isUrl };
