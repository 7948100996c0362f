/** Who this consumer is, for every root alike. */
export interface Identity {
  readonly consumerId: string;
  /** Random for each process start. */
  readonly incarnation: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly build: string | undefined;
}
