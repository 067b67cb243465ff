import { IpcError } from "@ipc/core";
import { pumpBytes } from "@ipc/core/sys";
import { faultSuite, leakCheck } from "@ipc/core/testing";
import { createPipe, type PipeOptions, spawnWithChannel } from "./mod.ts";
import { open } from "./testdata/open.ts";

leakCheck();

/** Makes a pipe, uses it and closes it. */
function withPipe(
  use: (pipe: ReturnType<typeof createPipe>) => unknown,
  options?: PipeOptions,
): () => Promise<void> {
  return async () => {
    using pipe = createPipe(options);
    await use(pipe);
  };
}

faultSuite("pipe", open, {
  more: {
    createPipe: withPipe(() => {}),
    "createPipe with a capacity": withPipe(() => {}, { capacity: 8192 }),
    capacity: withPipe((pipe) => pipe.writer.capacity = pipe.reader.capacity),
    available: withPipe((pipe) => pipe.reader.available),
    "read and write": withPipe(async ({ reader, writer }) => {
      await writer.write(new Uint8Array(100));
      const into = new Uint8Array(100);
      for (let come = 0; come < 100;) come += await reader.read(into) ?? 0;
    }),
    "readSync and writeSync": withPipe(({ reader, writer }) => {
      writer.writeSync(new Uint8Array(100));
      const into = new Uint8Array(100);
      for (let come = 0; come < 100;) come += reader.readSync(into, { timeout: 1000 }) ?? 0;
    }),
    pumpBytes: async () => {
      using from = createPipe();
      using to = createPipe();
      await from.writer.send(new Uint8Array(5000));
      await from.writer.end();
      await pumpBytes(from.reader, to.writer);
      if ((await to.reader.receive())?.byteLength !== 5000) throw new Error("Another message came out");
    },
    spawnWithChannel: async () => {
      const { process, channel } = spawnWithChannel("cat", { stdio: true, stderr: "null" });
      try {
        await channel.send(new TextEncoder().encode("there and back"));
        const message = await channel.receive();
        if (message?.byteLength !== 14) throw new Error("Another message came back");
      } catch (error) {
        if (!(error instanceof IpcError)) throw error;
      } finally {
        channel.close();
        await process.status;
      }
    },
  },
});

faultSuite("pipe of packets", () => open({ packet: true }), { emptyMessages: false, short: false });
