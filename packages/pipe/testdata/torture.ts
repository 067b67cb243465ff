/** Pipes for the torture: of messages, and of bytes without frames. */

import { raw } from "@ipc/core";
import type { TortureMechanism } from "@ipc/core/testing";
import { createPipe, parentChannel, type PipeOptions, spawnWithChannel } from "../mod.ts";

function tortured(name: string, exported: string, options: PipeOptions): TortureMechanism {
  const { framing } = options;
  return {
    name,
    module: import.meta.url,
    export: exported,
    roles: ["send", "receive", "both"],
    bytes: framing !== undefined,
    fromBirth: true,
    open: () => {
      const { reader, writer } = createPipe(options);
      return { sender: writer, receiver: reader };
    },
    start: ([program]) => {
      const { command, args } = program!;
      const { process, channel } = spawnWithChannel(command, { args, framing });
      return { processes: [process], sender: channel, receiver: channel };
    },
    join: () => {
      const channel = parentChannel({ framing });
      return { sender: channel, receiver: channel };
    },
  };
}

/** A pipe of messages. */
export const pipe: TortureMechanism = tortured("pipe", "pipe", {});

/** A pipe of bytes. */
export const bytes: TortureMechanism = tortured("pipe of bytes", "bytes", { framing: raw() });
