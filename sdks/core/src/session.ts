import { mistake } from './errors.ts';

const SHORTEST = 16; // GP-5: ids under 16 characters are refused
const LONGEST = 128;
const PLACEHOLDER = /^your[\W_]*(unique[\W_]*)?session/i; // of examples: who copies it shares a session with all others who did
const FEWEST_BITS = 64;

/** A new session id: 128 random bits (GP-5). */
export function newSession(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** The session id, when the relay would take it (GP-5); raises `invalid_arguments` otherwise. */
export function checkSession(id: unknown): string {
  if (typeof id !== 'string' || id.length < SHORTEST || id.length > LONGEST || id.startsWith('$gluer'))
    throw mistake(`A sessionId is a secret string of ${String(SHORTEST)} to ${String(LONGEST)} characters; leave it out to get a random one.`);
  if (PLACEHOLDER.test(id)) throw mistake(`The sessionId '${id}' is a placeholder, which others use too; leave it out to get a random one.`);
  return id;
}

/** Whether the id is short, or of few different characters: at most 64 bits. */
export function isGuessable(id: string): boolean {
  return id.length * Math.log2(new Set(id).size) < FEWEST_BITS;
}
