// Types of the platform, for programs that are compiled without them: a `lib` without DOM, and no @types/node.

/** An AbortSignal: the platform's where its type is known, else the part that the SDKs use. */
export type Signal = typeof globalThis extends { AbortSignal: { prototype: infer Platform } } ? Platform : SignalLike;

/** The part of an AbortSignal that the SDKs use. */
export interface SignalLike {
  readonly aborted: boolean;
  readonly reason?: unknown;
  addEventListener(type: 'abort', listener: () => void): void;
  removeEventListener(type: 'abort', listener: () => void): void;
}

/** A URL, as far as the SDKs use it. */
export interface UrlLike {
  readonly href: string;
}
