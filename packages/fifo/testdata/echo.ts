/** The other end of a pair: sends back what it gets until the end. Arguments: the path to read, the path to write. */

import { pump } from "@ipc/core";
import { Fifo } from "../mod.ts";

await using channel = await Fifo.openPair(Deno.args[0]!, Deno.args[1]!, { timeout: 10_000 });
await pump(channel, channel);
