/** The program of both ends of a channel of ours while it is measured. */

import { mechanisms } from "../demo/mechanisms.ts";
import { work } from "./_work.ts";

if (import.meta.main) await work(Deno.args, mechanisms);
