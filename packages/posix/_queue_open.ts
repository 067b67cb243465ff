/** Getting hold of a queue: mq_open(3). */

import { NotFoundError } from "@ipc/core";
import { abi, Descriptor, errno, stat } from "@ipc/core/sys";
import { syscalls } from "./_abi.ts";
import { kernelName, libc } from "./_libc.ts";
import {
  checkMode,
  checkOwner,
  type CreateOptions,
  openElseCreate,
  setExactMode,
  type TrustOptions,
} from "./_object.ts";
import { createFailure, defaultSize, queueFailure, type QueueSize } from "./_queue_failure.ts";
import { attributesOf, encodeSize } from "./_queue_status.ts";
import { checkName } from "./name.ts";

/** How a queue is created. */
export interface MessageQueueCreateOptions extends CreateOptions {
  /** The most messages in the queue (mq_maxmsg); `msg_default`, mostly 10, unless told. */
  maxMessages?: number | undefined;
  /** The longest message in bytes (mq_msgsize); `msgsize_default`, mostly 8192, unless told. */
  maxMessageSize?: number | undefined;
}

/** How a queue is opened. */
export interface MessageQueueOpenOptions extends TrustOptions {
  /** For what it is opened, where its mode does not permit both; both unless told. */
  access?: "read" | "write" | undefined;
}

/** A queue that is open. */
export interface OpenQueue extends QueueSize {
  readonly name: string;
  readonly descriptor: Descriptor;
  readonly created: boolean;
}

const OBJECT = "message queue";

/** Creates a queue; throws where the name is taken. */
export function createQueue(name: string, options: MessageQueueCreateOptions): OpenQueue {
  checkName(name, OBJECT, "create");
  const { mode, size } = checkCreate(options);
  const path = kernelName(name);
  const attributes = size && encodeSize(size);
  const flags = abi.O_RDWR | abi.O_CREAT | abi.O_EXCL | abi.O_CLOEXEC;
  const fd = libc.mq_open(syscalls.mq_open, path, flags, mode, attributes);
  if (fd === -1) throw createFailure(errno(), name, size);
  const descriptor = new Descriptor(fd, { target: name });
  try {
    setExactMode(fd, mode, OBJECT, name);
    return { name, descriptor, created: true, ...attributesOf(fd, name) };
  } catch (error) {
    descriptor.close();
    libc.mq_unlink(syscalls.mq_unlink, path);
    throw error;
  }
}

/** Opens a queue that exists, and checks whose it is. */
export function openQueue(name: string, options: MessageQueueOpenOptions): OpenQueue {
  checkName(name, OBJECT);
  const { access } = options;
  if (access !== undefined && access !== "read" && access !== "write") {
    throw new TypeError(`Cannot open message queue "${name}" for "${access}": it is "read" or "write"`);
  }
  const mode = access === undefined ? abi.O_RDWR : access === "read" ? abi.O_RDONLY : abi.O_WRONLY;
  const path = kernelName(name);
  const fd = libc.mq_open(syscalls.mq_open, path, mode | abi.O_CLOEXEC, 0, null);
  if (fd === -1) throw queueFailure(errno(), "mq_open", "open", name);
  const descriptor = new Descriptor(fd, { target: name });
  try {
    checkOwner(stat(fd), OBJECT, name, options);
    return { name, descriptor, created: false, ...attributesOf(fd, name) };
  } catch (error) {
    descriptor.close();
    throw error;
  }
}

/** Opens what exists, or creates it. */
export function openOrCreateQueue(
  name: string,
  options: MessageQueueCreateOptions & TrustOptions,
): OpenQueue {
  checkCreate(options);
  const trust = { allowOwner: options.allowOwner };
  return openElseCreate(() => openQueue(name, trust), () => createQueue(name, options));
}

/** Removes a name. */
export function unlinkQueue(name: string): void {
  checkName(name, OBJECT, "unlink");
  const path = kernelName(name);
  if (libc.mq_unlink(syscalls.mq_unlink, path) === -1) {
    throw queueFailure(errno(), "mq_unlink", "unlink", name);
  }
}

/** Removes the name of an open queue, unless it has lost it: then it may be another queue's by now. */
export function unlinkOpenQueue({ name, descriptor }: OpenQueue): void {
  if (stat(descriptor.fd).nlink > 0) return unlinkQueue(name);
  throw new NotFoundError(`Cannot unlink message queue "${name}": it was unlinked already`, { target: name });
}

function checkCreate(options: MessageQueueCreateOptions): { mode: number; size: QueueSize | null } {
  const mode = checkMode(OBJECT, options.mode);
  const { maxMessages, maxMessageSize } = options;
  for (const [option, value] of Object.entries({ maxMessages, maxMessageSize })) {
    if (value !== undefined && !(Number.isSafeInteger(value) && value >= 1)) {
      throw new RangeError(`Cannot create message queue with ${option} ${value}: it is an integer from 1`);
    }
  }
  // The kernel is told both or neither.
  if (maxMessages === undefined && maxMessageSize === undefined) return { mode, size: null };
  const usual = defaultSize();
  return {
    mode,
    size: {
      maxMessages: maxMessages ?? usual.maxMessages,
      maxMessageSize: maxMessageSize ?? usual.maxMessageSize,
    },
  };
}
