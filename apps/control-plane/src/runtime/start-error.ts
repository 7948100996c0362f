import type { Settings } from '@pawl/platform';

/** The server cannot start; `message` is one clear sentence for whoever started it. */
export class StartError extends Error {
  override readonly name = 'StartError';
}

/** Settings that are well formed and name less than a control plane of its own needs. */
export function refuseIncomplete(settings: Settings): void {
  if (settings.postgres.url === null || settings.nats.url === null) {
    const missing = settings.postgres.url === null ? 'PAWL_POSTGRES_URL' : 'PAWL_NATS_URL';
    throw new StartError(
      `${missing} is not set: \`npm start\` runs PostgreSQL and nats-server beside the control plane and sets it, a control plane of its own needs it.`,
    );
  }
}

/** Why listening failed, in words; other errors come back as they are. */
export function explainListen(error: unknown, { host, port }: Settings['http']): unknown {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  const where = `port ${port} on ${host}`;
  switch (code) {
    case 'EADDRINUSE':
      return new StartError(
        `Cannot listen on ${where}: something else does, perhaps another Pawl; stop it or set PAWL_HTTP_PORT to another port.`,
      );
    case 'EACCES':
      return new StartError(
        `Cannot listen on ${where}: this user may not; set PAWL_HTTP_PORT to a port above 1023.`,
      );
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new StartError(
        `Cannot listen on ${where}: this machine has no such address; check PAWL_HTTP_HOST.`,
      );
    default:
      return error;
  }
}

const FOLDER_CODES = new Set(['EACCES', 'EPERM', 'ENOTDIR', 'EEXIST', 'EROFS', 'ENOSPC', 'ENOENT']);

/** Why the data folder cannot be used, in words; other errors come back as they are. */
export function explainFolder(error: unknown, dataDir: string): unknown {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === undefined || !FOLDER_CODES.has(code)) return error;
  return new StartError(
    `The data folder ${dataDir} cannot be used (${message}): make it writable for this user or set PAWL_DATA_DIR to another.`,
    { cause: error },
  );
}
