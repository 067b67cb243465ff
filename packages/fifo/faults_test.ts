import { type ChannelPair, faultSuite, leakCheck } from "@ipc/core/testing";
import { Fifo, type FifoPairOptions, mkfifo, unlink } from "./mod.ts";

leakCheck();

/** Both ends, or neither: what was opened before an error is closed. */
async function open(options: FifoPairOptions = {}): Promise<ChannelPair> {
  const folder = await Deno.makeTempDir();
  try {
    const path = `${folder}/fifo`;
    mkfifo(path);
    const receiver = await Fifo.open(path, "read", options);
    try {
      return { receiver, sender: await Fifo.open(path, "write", options) };
    } catch (error) {
      receiver.close();
      throw error;
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

faultSuite("fifo", () => open(), {
  // Its own format rests on the kernel's promise that a write of up to PIPE_BUF bytes goes as a whole.
  short: false,
  more: {
    "mkfifo and unlink": async () => {
      const folder = await Deno.makeTempDir();
      try {
        mkfifo(`${folder}/fifo`);
        unlink(`${folder}/fifo`);
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    },
    "open that nobody answers": async () => {
      const folder = await Deno.makeTempDir();
      try {
        const reason = new Error("Enough");
        const waiting = Fifo.open(`${folder}/fifo`, "write", {
          create: true,
          signal: AbortSignal.abort(reason),
        });
        await waiting.catch((error) => {
          if (error !== reason) throw error;
        });
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    },
  },
});

faultSuite("fifo with a length prefix", () => open({ framing: "length" }));
