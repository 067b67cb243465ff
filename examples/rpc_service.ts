/**
 * One service at any address: unix:, unix-seqpacket:, tcp: or ws:. Its other half is rpc_caller.ts.
 *
 *     deno run -A examples/rpc_service.ts unix:/tmp/words.sock
 */
import { serveListener } from "@ipc/rpc/local";
import { listen } from "@ipc/socket";

/** What both halves know of it. */
export interface Words {
  reverse(word: string): string;
  spell(word: string): AsyncIterable<string>;
  each(words: string[], tell: (length: number) => void): void;
}

if (import.meta.main) {
  const listener = await listen(Deno.args[0] ?? "unix:/tmp/words.sock", { sameUser: true });
  const server = serveListener<Words>(listener, {
    reverse: (word) => [...word].reverse().join(""),
    async *spell(word) {
      yield* word;
    },
    async each(words, tell) {
      for (const word of words) await tell(word.length);
    },
  });
  console.log(server.address);
  await server.closed;
}
