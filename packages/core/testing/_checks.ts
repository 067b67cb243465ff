/** All that the contract is checked for. */

import { closing } from "./_conformance_closing.ts";
import { crowd } from "./_conformance_crowd.ts";
import { delivery } from "./_conformance_delivery.ts";
import { limits } from "./_conformance_limits.ts";
import { mixing } from "./_conformance_mixing.ts";
import { processes } from "./_conformance_processes.ts";
import { sending } from "./_conformance_sending.ts";
import { waiting } from "./_conformance_waiting.ts";
import type { Check } from "./_trial.ts";

/** Every check there is, in the order of the promises. */
export const checks: readonly Check[] = [
  ...delivery,
  ...waiting,
  ...sending,
  ...limits,
  ...closing,
  ...crowd,
  ...processes,
  ...mixing,
].sort((a, b) => a.promise - b.promise);
