// Asks a question through a queue and waits for the answer to it: of the messages that come back, those are ours
// whose type is our process number. Its other half is sysv_reply.ts; start either one first.
// Run: deno run -A examples/sysv_reply.ts & deno run -A examples/sysv_request.ts
import { json, typed } from "@ipc/core";
import { MessageQueue, stableKey } from "@ipc/sysv";

const REQUEST = 2 ** 31 - 1; // the type of a request: no process has this number

using queue = MessageQueue.openOrCreate(stableKey("ipc-example-requests"));
using server = typed(queue.duplex({ send: REQUEST, receive: Deno.pid }), json());
for (const word of ["level", "stats", "queue"]) {
  await server.send({ from: Deno.pid, word });
  console.log(await server.receive({ timeout: 10_000 }));
}
