/** Milliseconds of processor time that a control plane has used, as its `/metrics` says. */
export async function processorTime({ url }) {
  const text = await (await fetch(`${url}/metrics`)).text();
  const found = /^process_cpu_seconds_total(?:\{[^}]*\})? ([0-9.e+-]+)/m.exec(text);
  if (found === null) throw new Error('/metrics has no process_cpu_seconds_total');
  return Number(found[1]) * 1_000;
}
