/** One JSON object of the wire, `type` first (GP-1). */
export interface Frame {
  readonly type: string;
  readonly [field: string]: unknown;
}

/** The relay's answer to `hello` (GP-2). */
export interface Welcome {
  /** This socket's id. */
  readonly connection: string;
  /** This client's address across reconnects (GP-5). */
  readonly session: string;
  readonly peer: 'frontend' | 'backend';
  /** Seconds between the relay's pings. */
  readonly ping: number;
  readonly limits: Limits;
}

/** What the relay takes from this connection. */
export interface Limits {
  /** Bytes of one frame. */
  readonly frame: number;
  /** Longest deadline of a call, ms. */
  readonly timeout: number;
  /** Calls without an outcome. */
  readonly in_flight: number;
  /** Requests a second; bursts may be twice that. */
  readonly rate: number;
}

/** 1 MiB: what a relay takes unless its welcome says something else. */
export const DEFAULT_FRAME_LIMIT = 1_048_576;

const LONGEST_PING = 600; // s; a relay that says more would be missed for too long

/** The frame as text, without fields that are undefined. `data` is JSON text already, so that a payload is encoded once. */
export function encode(head: Frame, data?: string): string {
  const text = JSON.stringify(head);
  return data === undefined ? text : `${text.slice(0, -1)},"data":${data}}`;
}

/** The frame in the text, or undefined where there is none. */
export function decode(text: unknown): Frame | undefined {
  try {
    const value: unknown = JSON.parse(String(text));
    return isRecord(value) && typeof value['type'] === 'string' ? (value as Frame) : undefined;
  } catch {
    return undefined;
  }
}

/** The text's length in UTF-8 bytes, when it is over the limit. */
export function bytesOver(text: string, limit: number): number | undefined {
  if (text.length * 3 <= limit) return undefined; // a UTF-16 unit takes at most 3 bytes: no need to count
  const bytes = new TextEncoder().encode(text).length;
  return bytes > limit ? bytes : undefined;
}

/** The frame as a welcome; what is missing or of a wrong type gets the protocol's default. */
export function welcomeOf(frame: Frame): Welcome {
  const limits = isRecord(frame['limits']) ? frame['limits'] : {};
  return {
    connection: String(frame['connection']),
    session: String(frame['session']),
    peer: frame['peer'] === 'backend' ? 'backend' : 'frontend',
    ping: Math.min(positive(frame['ping'], 25), LONGEST_PING),
    limits: {
      frame: positive(limits['frame'], DEFAULT_FRAME_LIMIT),
      timeout: positive(limits['timeout'], Infinity),
      in_flight: positive(limits['in_flight'], Infinity),
      rate: positive(limits['rate'], Infinity),
    },
  };
}

function positive(value: unknown, fallback: number): number {
  return typeof value === 'number' && value > 0 ? value : fallback;
}

/** Whether the value is an object with fields (no array, no null). */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
