/** Every scenario: one file each, one line here. Those that share a guest stand together. */
import { boots } from './boots.js';
import { echoReplies } from './echo-replies.js';
import { everyFrameScenarios } from './every-frame.js';
import { exactOutput } from './exact-output.js';
import { flowsSpread, virtioSpread } from './flows-spread.js';
import { liveOutput } from './live-output.js';
import type { Scenario } from './scenario.js';

export const SCENARIOS: readonly Scenario[] = [
  boots,
  exactOutput,
  liveOutput,
  echoReplies,
  flowsSpread,
  virtioSpread,
  ...everyFrameScenarios,
];
