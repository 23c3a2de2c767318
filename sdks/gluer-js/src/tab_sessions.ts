import { newSession } from '../../core/src/session.ts';

/** The part of a browser's window that keeps a tab's sessions; each may be missing. */
export interface Tab {
  readonly sessionStorage?: {
    getItem(key: string): string | null;
    setItem(key: string, value: string): void;
    removeItem(key: string): void;
  };
  readonly document?: {
    readonly visibilityState: string;
    addEventListener(type: string, listener: () => void): void;
  };
  addEventListener?(type: string, listener: () => void): void;
}

const PREFIX = 'gluer:session:';

/**
 * The session ids of this tab, one for each project (GP-5): a reload keeps them, another tab has others.
 * Browsers copy sessionStorage when a tab is duplicated or opens another one. So an id stands in it only while the page
 * is hidden or going away; a page that lives and is seen keeps it in memory.
 */
export class TabSessions {
  readonly #tab: Tab;
  readonly #ids = new Map<string, string>();
  #watching = false;

  constructor(tab: Tab) {
    this.#tab = tab;
  }

  /** The tab's session with the project; a new one where there is none. */
  of(project: string): string {
    this.#watch();
    const id = this.#ids.get(project) ?? this.#take(project) ?? newSession();
    this.#ids.set(project, id);
    return id;
  }

  #watch(): void {
    if (this.#watching) return;
    this.#watching = true;
    const { document } = this.#tab;
    this.#tab.addEventListener?.('pagehide', () => { this.#putBack(); });
    this.#tab.addEventListener?.('pageshow', () => { this.#takeAll(); });
    document?.addEventListener('visibilitychange', () => {
      if (document.visibilityState === 'hidden') this.#putBack();
      else this.#takeAll();
    });
  }

  #putBack(): void {
    for (const [project, id] of this.#ids) attempt(() => this.#tab.sessionStorage?.setItem(PREFIX + project, id));
  }

  #takeAll(): void {
    for (const project of this.#ids.keys()) this.#take(project);
  }

  #take(project: string): string | undefined {
    return attempt(() => {
      const id = this.#tab.sessionStorage?.getItem(PREFIX + project);
      this.#tab.sessionStorage?.removeItem(PREFIX + project);
      return id ?? undefined;
    });
  }
}

/** Gives each client its sessions: those of the tab, which its clients share, or its own where there is no tab (at most 16 connections share a session, GP-5). */
export function sessionsIn(tab: Tab): () => TabSessions {
  const shared = new TabSessions(tab);
  return () => (attempt(() => tab.document && tab.sessionStorage) ? shared : new TabSessions({}));
}

/** Storage may be switched off, full, or forbidden in a frame: then ids live as long as the page. */
function attempt<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch {
    return undefined;
  }
}
