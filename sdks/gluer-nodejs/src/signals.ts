const SIGNALS = ['SIGTERM', 'SIGINT'] as const;
const leavers = new Set<() => Promise<void>>();

/** Lets back ends leave before SIGTERM or SIGINT ends the process; a second signal ends it at once. The returned function takes it back. */
export function leaveOnSignal(leave: () => Promise<void>): () => void {
  if (leavers.size === 0) for (const signal of SIGNALS) process.on(signal, leaveAll);
  leavers.add(leave);
  return () => {
    leavers.delete(leave);
    if (leavers.size === 0) stopListening();
  };
}

function stopListening(): void {
  for (const signal of SIGNALS) process.off(signal, leaveAll);
}

function leaveAll(signal: NodeJS.Signals): void {
  stopListening();
  void Promise.allSettled([...leavers].map((leave) => leave())).then(() => {
    if (process.listenerCount(signal) === 0) process.kill(process.pid, signal); // now as if nobody had listened
  });
  leavers.clear();
}
