import { GluerClient } from './client.ts';
import { sessionsIn, type Tab } from './tab_sessions.ts';

export * from '../../core/src/index.ts';
export type { GluerClient, SetupOptions } from './client.ts';

const tab = globalThis as Tab;
const sessions = sessionsIn(tab);

/** A further client beside `gluer`, for a second project or a connection of its own. */
export function createClient(): GluerClient {
  const client = new GluerClient(sessions());
  tab.addEventListener?.('online', () => { client.hurry(); });
  return client;
}

/** The page's client. */
export const gluer: GluerClient = createClient();
export default gluer;
