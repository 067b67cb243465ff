/** The program of both ends of a channel of ours while it is measured. */

import { meetings } from "@ipc/address/meeting";
import { work } from "./_work.ts";

if (import.meta.main) await work(Deno.args, meetings);
