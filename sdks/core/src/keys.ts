import { mistake } from './errors.ts';
import { BACKEND_BACKOFF, FRONTEND_BACKOFF, type Backoff } from './backoff.ts';

/** What a front end and a back end differ in. A package holds its own kind only. */
export interface Kind {
  /** What its keys begin with. */
  readonly prefix: string;
  /** Says which key is needed. */
  readonly wanted: string;
  /** Says what the other kind's key is. */
  readonly other: string;
  readonly backoff: Backoff;
  /** Whether it closes the connection that it has moved away from; callers may still find a back end there (GP-6). */
  readonly closes: boolean;
  /** Whether calls may come at any time, so that a relay that hangs has to be noticed. */
  readonly isCalled: boolean;
}

export const FRONTEND: Kind = {
  prefix: 'gluer_pub_',
  wanted: "gluer-js needs the project's public key (it begins with gluer_pub_): copy it from the project's page",
  other: 'This is a private key, and whoever sees it can act as your back end: take it out of the page and revoke it. ',
  backoff: FRONTEND_BACKOFF,
  closes: true,
  isCalled: false,
};
export const BACKEND: Kind = {
  prefix: 'gluer_prv_',
  wanted: "gluer-nodejs needs a private key of the project (it begins with gluer_prv_): copy it from the project's page",
  other: 'This is a public key, for front ends. ',
  backoff: BACKEND_BACKOFF,
  closes: false,
  isCalled: true,
};

const KEY = /^(gluer_(?:pub|prv)_)([a-z0-9]+)_[A-Za-z0-9]+$/;

/** The id of the key's project. Raises `invalid_arguments` for the other kind of key, or no key; never shows the key. */
export function projectOf(key: unknown, { prefix, wanted, other }: Kind): string {
  const [, found, project] = KEY.exec(String(key)) ?? [];
  if (!project) throw mistake(`${wanted}.`);
  if (found !== prefix) throw mistake(`${other}${wanted}.`);
  return project;
}
