import { expect, test } from 'vitest';
import { sessionsIn, TabSessions, type Tab } from '../src/tab_sessions.ts';

/** A browser's tab: its storage outlives its pages, and is copied into tabs made from it. */
class FakeTab {
  readonly stored: Map<string, string>;
  #page = new EventTarget();
  #state: DocumentVisibilityState = 'visible';

  constructor(stored: Iterable<[string, string]> = []) {
    this.stored = new Map(stored);
  }

  /** The page that is loaded now. */
  get page(): Tab {
    const page = (this.#page = new EventTarget());
    const state = (): DocumentVisibilityState => this.#state;
    return {
      sessionStorage: {
        getItem: (key) => this.stored.get(key) ?? null,
        setItem: (key, value) => void this.stored.set(key, value),
        removeItem: (key) => void this.stored.delete(key),
      },
      document: {
        get visibilityState() { return state(); },
        addEventListener: (type, listener) => page.addEventListener(type, listener),
      },
      addEventListener: (type, listener) => page.addEventListener(type, listener),
    };
  }

  leavePage(): void {
    this.#page.dispatchEvent(new Event('pagehide'));
  }

  show(state: DocumentVisibilityState): void {
    this.#state = state;
    this.#page.dispatchEvent(new Event('visibilitychange'));
  }

  duplicate(): FakeTab {
    return new FakeTab(this.stored);
  }
}

test('a reload keeps the session', () => {
  const tab = new FakeTab();
  const before = new TabSessions(tab.page).of('p');
  tab.leavePage();
  expect(new TabSessions(tab.page).of('p')).toBe(before);
});

test('another tab has another session, even a duplicate of a page that lives', () => {
  const tab = new FakeTab();
  const session = new TabSessions(tab.page).of('p');
  expect(new TabSessions(new FakeTab().page).of('p')).not.toBe(session);
  expect(new TabSessions(tab.duplicate().page).of('p')).not.toBe(session);
});

test('a duplicate of a tab that was hidden and seen again has another session too', () => {
  const tab = new FakeTab();
  const session = new TabSessions(tab.page).of('p');
  tab.show('hidden');
  tab.show('visible');
  expect(new TabSessions(tab.duplicate().page).of('p')).not.toBe(session);
});

test('a hidden tab that the browser discards keeps its session', () => {
  const tab = new FakeTab();
  const session = new TabSessions(tab.page).of('p');
  tab.show('hidden');
  expect(new TabSessions(tab.page).of('p')).toBe(session);
});

test('each project has its own session, and clients of one page share it', () => {
  const sessions = new TabSessions(new FakeTab().page);
  expect(sessions.of('p')).toBe(sessions.of('p'));
  expect(sessions.of('p')).not.toBe(sessions.of('q'));
});

test('clients of one tab share its session, others have their own', () => {
  const inTab = sessionsIn(new FakeTab().page);
  expect(inTab().of('p')).toBe(inTab().of('p'));
  const forbidden: Tab = { document: new FakeTab().page.document!, get sessionStorage(): never { throw new DOMException('denied', 'SecurityError'); } };
  const process = { sessionStorage: new FakeTab().page.sessionStorage! }; // Node 25 has one for all its clients
  for (const elsewhere of [{}, forbidden, process]) {
    const sessions = sessionsIn(elsewhere);
    const ids = Array.from({ length: 17 }, () => sessions().of('p'));
    expect(new Set(ids).size).toBe(17);
  }
});

test('where storage is forbidden or missing, a session lives as long as the page', () => {
  const forbidden: Tab = { get sessionStorage(): never { throw new DOMException('denied', 'SecurityError'); } };
  for (const tab of [forbidden, {}]) {
    const sessions = new TabSessions(tab);
    expect(sessions.of('p')).toMatch(/^[0-9a-f]{32}$/);
    expect(sessions.of('p')).toBe(sessions.of('p'));
  }
});
