// Answers questions that come through a queue, each to the process that asked, until nobody has asked for 3 s.
// Its other half is sysv_request.ts; start either one first, and as many of the other as you like.
// Run: deno run -A examples/sysv_reply.ts & deno run -A examples/sysv_request.ts
import { json, TimeoutError } from "@ipc/core";
import { MessageQueue, stableKey } from "@ipc/sysv";

const REQUEST = 2 ** 31 - 1; // the type of a request: no process has this number
const { encode, decode } = json<{ from: number; word: string; palindrome?: boolean }>();

using queue = MessageQueue.openOrCreate(stableKey("ipc-example-requests"));
try {
  while (true) {
    const request = await queue.receiveMessage({ type: REQUEST, timeout: 3000 });
    const { from, word } = decode(request!.data);
    const palindrome = word === [...word].reverse().join("");
    // Requests that fill the queue keep answers out of it, so nobody should wait for room for ever.
    await queue.send(encode({ from: Deno.pid, word, palindrome }), { type: from, timeout: 3000 });
  }
} catch (error) {
  if (!(error instanceof TimeoutError)) throw error;
} finally {
  queue.remove();
}
