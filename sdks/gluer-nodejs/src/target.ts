import { isRecord } from '../../core/src/frames.ts';
import { mistake } from '../../core/src/errors.ts';
import { checkName } from '../../core/src/names.ts';
import type { CallOptions } from '../../core/src/requests.ts';

/**
 * A front end, as `context.header` of its own calls names it: by its session (a call goes to the youngest of its
 * connections, a send to all), or by one connection.
 */
export type Target =
  | { readonly session: string; readonly connection?: undefined }
  | { readonly connection: string; readonly session?: undefined };

/** How a back end sends. */
export interface SendOptions {
  /** Sends to a front end's handler instead of a back end's function. */
  to?: Target | undefined;
}

/** How a back end calls. */
export interface ServerCallOptions extends CallOptions, SendOptions {}

/** What the frame says of the target. Raises `invalid_arguments` for what names no front end, or two. */
export function targetFields(to: unknown): { to?: Target } {
  if (to === undefined) return {};
  const [[kind, value] = [], ...others] = isRecord(to) ? Object.entries(to).filter(([, each]) => each !== undefined) : [];
  if ((kind !== 'session' && kind !== 'connection') || others.length > 0)
    throw mistake('The option to is {session} or {connection}, exactly one, as context.header of a call from that front end names it.');
  return { to: { [kind]: checkName(kind, value) } as unknown as Target };
}
