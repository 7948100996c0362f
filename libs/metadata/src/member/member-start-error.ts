/** A member cannot start; the message is one sentence for whoever started it. */
export class MemberStartError extends Error {
  override readonly name = 'MemberStartError';
}

/** Why listening failed, in words; other errors come back as they are. */
export function explainListen(
  error: unknown,
  {
    address,
    what,
    setting,
  }: { readonly address: string; readonly what: string; readonly setting: string },
): unknown {
  switch ((error as NodeJS.ErrnoException | null)?.code) {
    case 'EADDRINUSE':
      return new MemberStartError(
        `Cannot listen on ${address} for ${what}: something else does, perhaps another Pawl; stop it or set ${setting}_PORT to another port.`,
        { cause: error },
      );
    case 'EACCES':
      return new MemberStartError(
        `Cannot listen on ${address} for ${what}: this user may not; set ${setting}_PORT to a port above 1023.`,
        { cause: error },
      );
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new MemberStartError(
        `Cannot listen on ${address} for ${what}: this machine has no such address; check ${setting}_HOST.`,
        { cause: error },
      );
    default:
      return error;
  }
}
