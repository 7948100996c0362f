/** What an earlier build of ours wrote: nothing reads it any more. */
export class EarlierFormatError extends RangeError {
  override readonly name = 'EarlierFormatError';
}

/** Throws an {@link EarlierFormatError}, whose message says what to do, when it is one. */
export function refuseEarlierFormat(format: number | undefined, current: number): void {
  if (format === undefined || format < 1 || format >= current) return;
  throw new EarlierFormatError(
    `the metadata folder was written in format ${format} by an earlier build, and this one reads only format ${current}: remove the folder, start the node and stop it again, run \`pawl metadata adopt\`, and start it`,
  );
}
