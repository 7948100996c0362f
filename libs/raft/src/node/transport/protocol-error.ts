/** The other side sent what this protocol does not allow; the connection ends. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
}

/** Text that came from outside, for people: one line, nothing but printable characters, cut. */
export function printable(text: string, longest = 120): string {
  const clean = text.replace(/[^\x20-\x7e]/g, '?');
  return clean.length <= longest ? clean : `${clean.slice(0, longest)}...`;
}

/** What failed, in one line, without anything that was being sent. */
export function describe(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown failure';
  const { code } = error as NodeJS.ErrnoException;
  return printable(error.message === '' ? (code ?? error.name) : error.message, 300);
}
