/**
 * Channels of values over channels of bytes.
 *
 * @module
 */

import { TypedReceiver, TypedSyncReceiver } from "./_typed_receiver.ts";
import { TypedSender, TypedSyncSender } from "./_typed_sender.ts";
import type { Channel, Receiver, Sender, SyncChannel, SyncReceiver, SyncSender } from "./channel.ts";
import type { Codec } from "./codec.ts";
import { duplex } from "./duplex.ts";

/**
 * A channel of values over a channel of bytes, or over one end of one.
 *
 * It owns the channel from now on: use one or the other, and close it through this one. The calls that block
 * the thread are there when the channel has them. `maxMessageSize` stays the limit of the encoded bytes.
 *
 * What cannot be encoded is a `TypeError` and nothing of it is sent; of a batch, nothing at all. What cannot be
 * decoded is a {@linkcode DecodeError} carrying `data`, and the next message follows: in a batch the messages
 * before it are delivered first and the error comes at the next call; an iteration or `readable` ends with the
 * error, and a new one goes on behind it.
 *
 * @example
 * ```ts
 * import { json, typed } from "@ipc/core";
 * import { createPipe } from "@ipc/pipe";
 * import { assertEquals } from "@std/assert";
 *
 * const { reader, writer } = createPipe();
 * await using jobs = typed(writer, json<{ id: number }>());
 * await using work = typed(reader, json<{ id: number }>());
 * await jobs.send({ id: 7 });
 * assertEquals(await work.receive(), { id: 7 });
 * ```
 */
export function typed<T>(channel: SyncChannel, codec: Codec<T>): SyncChannel<T, T>;
/** A channel of values over one that cannot block the thread in both directions. */
export function typed<T>(channel: Channel, codec: Codec<T>): Channel<T, T>;
/** A receiver of values over a receiver of bytes that can block the thread. */
export function typed<T>(receiver: SyncReceiver, codec: Codec<T>): SyncReceiver<T>;
/** A sender of values over a sender of bytes that can block the thread. */
export function typed<T>(sender: SyncSender, codec: Codec<T>): SyncSender<T>;
/** A receiver of values over a receiver of bytes. */
export function typed<T>(receiver: Receiver, codec: Codec<T>): Receiver<T>;
/** A sender of values over a sender of bytes. */
export function typed<T>(sender: Sender, codec: Codec<T>): Sender<T>;
/** A channel, receiver or sender of values over one of bytes. */
export function typed<T>(
  channel: Sender | Receiver,
  codec: Codec<T>,
): Channel<T, T> | Receiver<T> | Sender<T> {
  const receiver = "receive" in channel ? receiverOf(channel, codec) : undefined;
  const sender = "send" in channel ? senderOf(channel, codec) : undefined;
  if (receiver === undefined && sender === undefined) {
    throw new TypeError("Cannot give types to what neither sends nor receives");
  }
  if (receiver === undefined) return sender!;
  return sender === undefined ? receiver : duplex(receiver, sender);
}

function receiverOf<T>(receiver: Receiver, codec: Codec<T>): Receiver<T> {
  return "tryReceive" in receiver
    ? new TypedSyncReceiver(receiver as SyncReceiver, codec)
    : new TypedReceiver(receiver, codec);
}

function senderOf<T>(sender: Sender, codec: Codec<T>): Sender<T> {
  return "trySend" in sender
    ? new TypedSyncSender(sender as SyncSender, codec)
    : new TypedSender(sender, codec);
}
