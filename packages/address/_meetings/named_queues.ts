/**
 * A channel through two POSIX message queues, one for each direction.
 *
 * A queue keeps nobody's end, so that is a message as well: of a lower priority than all others, it comes after them.
 */

import { type Bytes, duplex, type SyncChannel } from "@ipc/core";
import { BaseReceiver, BaseSender, type Source } from "@ipc/core/base";
import { abi, Descriptor, waitFor } from "@ipc/core/sys";
import { MessageQueue } from "@ipc/posix";
import type { FarEnd } from "../meeting.ts";
import { PrioritySink } from "../_priority_sink.ts";
import { Peer } from "./peer.ts";
import { gone } from "./slots.ts";

const END = { priority: 0 } as const;
const DATA = 1;
const NOTHING: Bytes = new Uint8Array(0);

/** Starts the far end and opens the near one. As soon as both are open the queues have no names. */
export function near({ start }: FarEnd): Promise<SyncChannel> {
  return Promise.try(() => {
    using made = new DisposableStack();
    // Of the usual size: that is as large as every user may have them.
    const create = () =>
      made.use(MessageQueue.create(`/ipc-${crypto.randomUUID()}`, { unlinkOnClose: true }));
    const [there, back] = [create(), create()];
    const ended = start(there.name, back.name, String(Deno.pid));
    made.move();
    return channelOf(back, there, (onGone) => Peer.child(ended, onGone));
  });
}

/** Opens the far end. */
export function far([thereName, backName, pid]: readonly string[]): SyncChannel {
  using opened = new DisposableStack();
  const [there, back] = [thereName, backName].map((name) => opened.use(MessageQueue.open(name!)));
  for (const queue of [there!, back!]) queue.unlink();
  opened.move();
  return channelOf(there!, back!, (onGone) => Peer.parent(Number(pid), onGone));
}

function channelOf(
  incoming: MessageQueue,
  outgoing: MessageQueue,
  watch: (onGone: () => void) => Peer,
): SyncChannel {
  const peer = watch(() => {
    // Who waits to receive finds the end; who waits for room finds it, and then that nobody is there.
    if (!incoming.closed) incoming.trySend(NOTHING, END);
    if (!outgoing.closed) outgoing.tryReceive();
  });
  let open = 2;
  const close = () => {
    if (--open === 0) peer.close();
  };
  const receiver = new BaseReceiver(new QueueSource(incoming, peer, close));
  const sender = new BaseSender(new EndingSink(outgoing, peer, close));
  return duplex(receiver, sender);
}

class QueueSource implements Source<Bytes> {
  readonly #queue: MessageQueue;
  readonly #fd: Descriptor;
  readonly #peer: Peer;
  readonly #onClose: () => void;
  ended = false;

  constructor(queue: MessageQueue, peer: Peer, onClose: () => void) {
    this.#queue = queue;
    this.#fd = new Descriptor(queue.fd, { shared: true, target: queue.name });
    this.#peer = peer;
    this.#onClose = onClose;
  }

  take(): Bytes | undefined {
    const message = this.#queue.tryReceiveMessage();
    // What a peer has sent before it was killed is received.
    if (message === undefined) this.ended ||= this.#peer.gone;
    else if (message.priority === END.priority) this.ended = true;
    else return message.data;
    return undefined;
  }

  park(wake: () => void): () => void {
    return waitFor(this.#fd.fd, "readable", wake);
  }

  block(timeout: number | undefined): void {
    this.#peer.block(timeout, (slice) => this.#fd.poll(abi.POLLIN, slice) !== 0);
  }

  close(): void {
    this.#queue.close();
    this.#onClose();
  }
}

class EndingSink extends PrioritySink {
  readonly #queue: MessageQueue;
  readonly #peer: Peer;
  readonly #onClose: () => void;
  #ended = false;

  constructor(queue: MessageQueue, peer: Peer, onClose: () => void) {
    super(queue, DATA);
    this.#queue = queue;
    this.#peer = peer;
    this.#onClose = onClose;
  }

  override put(message: Uint8Array): boolean {
    if (this.#peer.gone) throw gone();
    return super.put(message);
  }

  override putSync(message: Uint8Array): void {
    while (!this.put(message)) this.block(undefined);
  }

  override block(timeout: number | undefined): void {
    this.#peer.block(timeout, (slice) => this.poll(slice));
  }

  override async end(): Promise<void> {
    this.#ended = true;
    if (!this.#peer.gone) await this.#queue.send(NOTHING, END);
  }

  override close(): void {
    if (!this.#ended) this.#queue.trySend(NOTHING, END);
    super.close();
    this.#onClose();
  }
}
