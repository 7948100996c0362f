/** Opens an address and waits until it has a document: right after a first promote it is still absent. */
export async function openCurrent(client, address) {
  const scope = await client.open(address);
  if (scope.current === undefined) {
    await new Promise((resolve) => {
      const stop = scope.on('applied', () => {
        if (scope.current === undefined) return;
        stop();
        resolve();
      });
    });
  }
  return scope;
}
