/** `stdio:`: the driver of this process's standard input and output. */

import { type Channel, framing, type FramingName, type Receiver, type Sender } from "@ipc/core";
import { Descriptor } from "@ipc/core/sys";
import { PipeReader, PipeWriter, stdioChannel } from "@ipc/pipe";
import type { Address } from "./address.ts";
import type { ConnectOptions, Direction } from "./connect.ts";

/** Opens standard input, standard output, or both; what is not asked for stays as it is. */
export function connect(
  address: Address,
  direction: Direction,
  options: ConnectOptions,
): Promise<Sender | Receiver | Channel> {
  const { maxMessageSize } = options;
  const chosen = framing((address.params.framing ?? "lines") as FramingName, { maxMessageSize });
  switch (direction) {
    case "both":
      return Promise.resolve(stdioChannel({ framing: chosen }));
    case "receive":
      return Promise.resolve(
        new PipeReader(new Descriptor(0, { shared: true, target: "standard input" }), chosen),
      );
    case "send": {
      const output = new Descriptor(1, { shared: true, target: "standard output" });
      return Promise.resolve(new PipeWriter(output, { framing: chosen }));
    }
  }
}
