interface NodeProcess {
  exitCode?: number | string | null | undefined;
  on?(event: 'beforeExit', listener: () => void): unknown;
}

let refused = 0; // clients that were refused for good
let watching = false;

/**
 * Notes that a client was refused for good, or (`more` -1) that it tries anew. When nothing else keeps a Node program alive
 * while one is refused, the program ends with exit code 1, unless it has set an exit code itself. Does nothing in a browser.
 */
export function countRefused(more: 1 | -1): void {
  refused += more;
  const { process } = globalThis as { process?: NodeProcess };
  if (!watching) process?.on?.('beforeExit', () => { if (refused > 0) process.exitCode ??= 1; });
  watching = true;
}
