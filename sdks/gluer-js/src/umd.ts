// The script-tag build: one global, `gluer`, the page's client with all else at hand.
import { createClient, gluer, GluerError } from './index.ts';

export default Object.assign(gluer, { createClient, GluerError });
