import { mistake } from './errors.ts';
import { newSession } from './session.ts';

/** Where the relay is unless GLUER_URL or the program says something else. */
export const DEFAULT_URL = 'wss://ws.gluer.io';

/** The relay's URL without a slash at its end. Raises `invalid_arguments` for what is no ws, wss, http or https URL. */
export function checkUrl(url: unknown): string {
  const found = parsed(url);
  if (!found || !/^(ws|http)s?:$/.test(found.protocol) || found.search || found.hash || found.username || found.password)
    throw mistake(`The relay's URL is like ${DEFAULT_URL}: ws, wss, http or https, and no user, password, query or fragment.`); // not repeated: it may hold a password
  return found.href.replace(/\/+$/, '');
}

function parsed(url: unknown): URL | undefined {
  try {
    return new URL(String(url));
  } catch {
    return undefined;
  }
}

/** The URL that the environment names, in Node. */
export function urlOfEnvironment(): string | undefined {
  const scope = globalThis as { process?: { env?: Record<string, string | undefined> } };
  const url = scope.process?.env?.['GLUER_URL'];
  return url === '' ? undefined : url;
}

/** The WebSocket of a project (GP-1); `otherwise` with a query by which a proxy sends it another way (GP-3). */
export function socketAddress(url: string, project: string, otherwise = false): string {
  const query = otherwise ? `?other=${newSession().slice(0, 8)}` : '';
  return `${url.replace(/^http/, 'ws')}/v1/ws/${project}${query}`;
}

/** The HTTP address of a command (section 6). */
export function callAddress(url: string, cmd: string): string {
  return `${url.replace(/^ws/, 'http')}/v1/call/${encodeURIComponent(cmd)}`;
}
