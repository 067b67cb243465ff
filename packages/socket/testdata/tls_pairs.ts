/** Fresh TLS connections over the loopback interface, for the tests. */

import { type Framing, lengthPrefix } from "@ipc/core";
import type { ChannelPair } from "@ipc/core/testing";
import { connectTls, type TlsConnectOptions, type TlsStream } from "../tls.ts";
import { listenTls } from "../tls_listener.ts";
import { type Certificates, makeCertificates } from "./certificates.ts";
import { settled } from "./net_pairs.ts";

let certificates: Promise<Certificates> | undefined;

/** Both ends of a TLS connection: the client's, and the server's. */
export async function openTls(
  options: Pick<TlsConnectOptions, "maxQueuedBytes"> = {},
): Promise<ChannelPair> {
  const { ca, server } = await (certificates ??= makeCertificates());
  const [here, there] = [new Exaggerating(), new Exaggerating()];
  const listener = await listenTls("127.0.0.1:0", { ...server, ...options, framing: there });
  try {
    const sender = await connectTls(listener.address, { caCerts: [ca], ...options, framing: here });
    try {
      const receiver = (await listener.accept({ timeout: 10_000 }))!;
      return {
        sender,
        receiver,
        truncate: () => truncate(sender, here),
        truncateBack: () => truncate(receiver, there),
        cleanup: async () => {
          await listener[Symbol.asyncDispose]();
          await settled();
        },
      };
    } catch (error) {
      sender.close();
      throw error;
    }
  } catch (error) {
    listener.close();
    throw error;
  }
}

/** Sends a message that has less in it than it says, and no more. */
async function truncate(channel: TlsStream, framing: Exaggerating): Promise<void> {
  framing.more = 7;
  await channel.send(new Uint8Array([1, 2]));
  channel.close();
}

/** A length before each message, which may say more than there is. */
class Exaggerating implements Framing {
  readonly #framing = lengthPrefix();
  readonly name = "length";
  readonly maxMessageSize = this.#framing.maxMessageSize;
  readonly maxPrefix = this.#framing.maxPrefix;
  readonly suffix = this.#framing.suffix;
  /** Bytes that messages say to have and do not have. */
  more = 0;

  check(message: Uint8Array): void {
    this.#framing.check(message);
  }

  writePrefix(message: Uint8Array, target: Uint8Array, offset: number): number {
    const length = this.#framing.writePrefix(message, target, offset);
    target[offset]! += this.more;
    return length;
  }

  decoder() {
    return this.#framing.decoder();
  }
}
