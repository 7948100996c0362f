/** The streams cannot be as Pawl needs them; somebody has to act. */
export class StreamSetupError extends Error {
  override readonly name = 'StreamSetupError';
}

/** The streams are another installation's; what they hold is left alone. */
export class ForeignStreamError extends StreamSetupError {
  /** All are `<name>/<id>`. */
  constructor(stream: string, owner: string, installation: string) {
    super(
      `stream ${stream} belongs to installation ${owner}, this is ${installation}: ` +
        'is this the right PostgreSQL? If so, give this installation another name ' +
        '(PAWL_INSTALLATION); or, only if the other one is gone for good, delete all that its ' +
        `streams hold by a start with PAWL_ADOPT_STREAMS=${owner}`,
    );
  }
}
