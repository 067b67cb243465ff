/** Looking at an open queue: mq_getattr(3), and the file that it is. */

import { check, stat } from "@ipc/core/sys";
import { mqAttr, syscalls } from "./_abi.ts";
import { libc } from "./_libc.ts";
import type { QueueSize } from "./_queue_failure.ts";

/** What a queue holds, and what it can: `struct mq_attr`. */
export interface MessageQueueAttributes {
  /** Messages in the queue now (mq_curmsgs). */
  readonly messages: number;
  /** The most messages in the queue (mq_maxmsg). */
  readonly maxMessages: number;
  /** The longest message in bytes (mq_msgsize). */
  readonly maxMessageSize: number;
}

/** All that the kernel tells about a queue. */
export interface MessageQueueStatus extends MessageQueueAttributes {
  /** The name; of a queue that was unlinked the one that it had. */
  readonly name: string;
  /** The owner's user id. */
  readonly uid: number;
  /** The owner's group id. */
  readonly gid: number;
  /** Permission bits. */
  readonly mode: number;
  /** Bytes of all messages in the queue (QSIZE); `undefined` for who may not read it. */
  readonly bytes: number | undefined;
  /** The process that is to be notified (NOTIFY_PID); `undefined`: none, or this one may not read the queue. */
  readonly notifiedPid: number | undefined;
}

/** mq_getattr(3). */
export function attributesOf(fd: number, name: string): MessageQueueAttributes {
  const view = new DataView(new ArrayBuffer(mqAttr.size));
  check(
    libc.mq_getsetattr(syscalls.mq_getsetattr, fd, null, view),
    "mq_getattr",
    "look at message queue",
    name,
  );
  return {
    messages: Number(view.getBigInt64(mqAttr.mq_curmsgs, true)),
    maxMessages: Number(view.getBigInt64(mqAttr.mq_maxmsg, true)),
    maxMessageSize: Number(view.getBigInt64(mqAttr.mq_msgsize, true)),
  };
}

/** mq_getattr(3), fstat(2), and what reading the descriptor gives: mq_overview(7). */
export function queueStatus(fd: number, name: string): MessageQueueStatus {
  const { uid, gid, mode } = stat(fd);
  const text = new Uint8Array(128);
  const length = libc.pread(fd, text, 128n, 0n);
  const fields = new TextDecoder().decode(text.subarray(0, Math.max(0, length)));
  const field = (label: string) => {
    const [, digits] = new RegExp(`\\b${label}:(\\d+)`).exec(fields) ?? [];
    return digits === undefined ? undefined : Number(digits);
  };
  return {
    name,
    ...attributesOf(fd, name),
    uid,
    gid,
    mode,
    bytes: field("QSIZE"),
    notifiedPid: field("NOTIFY_PID") || undefined,
  };
}

/** A `struct mq_attr` with the sizes of a queue that is to be created. */
export function encodeSize({ maxMessages, maxMessageSize }: QueueSize): DataView<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(mqAttr.size));
  view.setBigInt64(mqAttr.mq_maxmsg, BigInt(maxMessages), true);
  view.setBigInt64(mqAttr.mq_msgsize, BigInt(maxMessageSize), true);
  return view;
}
