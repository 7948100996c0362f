/**
 * A promise that is settled from outside.
 *
 * @returns {{ promise: Promise<void>, resolve: () => void, reject: (error: Error) => void }}
 */
export function deferred() {
  /** @type {any} */
  const made = {};
  made.promise = new Promise((resolve, reject) => {
    made.resolve = resolve;
    made.reject = reject;
  });
  return made;
}
